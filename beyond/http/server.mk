http_ABSENT := $(if $(filter Linux,$(SYSTEM)),$(if $(shell echo 'int main(void) { return 0; }' | \
    $(CC) -include http_parser.h -x c - -o /dev/null -lhttp_parser 2>/dev/null && echo yes),,needs libhttp-parser-dev),needs Linux)
http_LDLIBS := -lhttp_parser
