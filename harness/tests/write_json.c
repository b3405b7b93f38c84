/* Writes what common/json.h can write, and its arguments as strings, for test_json.py to read. */
#include "../../common/json.h"

#include <float.h>
#include <math.h>
#include <string.h>

static void write_numbers(struct json *json)
{
    const double none[] = {NAN, INFINITY, -INFINITY};

    json_array(json, "numbers");
    json_unsigned(json, NULL, 0);
    json_unsigned(json, NULL, UINT64_MAX);
    json_signed(json, NULL, INT64_MIN);
    json_fixed(json, NULL, 2.0 / 3, 3);
    json_fixed(json, NULL, -1, 1);
    json_fixed(json, NULL, DBL_MAX, 9);
    json_double(json, NULL, 2.0 / 3, 17);
    json_double(json, NULL, 5e-324, 17);
    json_double(json, NULL, 1e300, 6);
    json_end(json);
    json_array(json, "none");
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        json_fixed(json, NULL, none[i], 3);
        json_double(json, NULL, none[i], 3);
    }
    json_end(json);
}

static void write_nested(struct json *json)
{
    json_array(json, "empty");
    json_array(json, NULL);
    json_end(json);
    json_object(json, NULL);
    json_end(json);
    json_end(json);
    json_object(json, "deep");
    for (int i = 0; i < 15; i++) {
        json_array(json, "in");
        json_bool(json, NULL, true);
        json_object(json, NULL);
    }
    json_null(json, "middle");
    for (int i = 0; i < 15; i++) {
        json_end(json);
        json_bool(json, NULL, false);
        json_end(json);
    }
    json_end(json);
}

int main(int argc, char **argv)
{
    struct json json;

    json_start(&json, stdout, argc > 1 && strcmp(argv[1], "lines") == 0);
    json_array(&json, "arguments");
    for (int i = 1; i < argc; i++)
        json_string(&json, NULL, argv[i]);
    json_end(&json);
    write_numbers(&json);
    write_nested(&json);
    json_hash(&json, "hash", 0xabc);
    return json_finish(&json) == 0 ? 0 : 1;
}
