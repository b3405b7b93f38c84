
extern const char hidden_test[];
__asm__(".section .rodata\n"
        ".global hidden_test\n"
        "hidden_test: .incbin \"@HIDDEN@\"\n"
        ".text\n");
