/* Takes values as benches/rivals/src/c.rs does: a sum that is nearly free, and each value by name when it is asked for. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct take {
    uint64_t sum;
    /* For each value when values are compared, not when time is measured. */
    void (*text)(void *context, const char *text, size_t length);
    void (*number)(void *context, uint64_t number);
    void (*host)(void *context, const char *text, size_t length);
    void *context;
};

static inline void add(struct take *take, uint64_t number)
{
    take->sum += number * UINT64_C(0x9e3779b97f4a7c15);
}

static inline void take_octets(struct take *take, const char *text, size_t length)
{
    uint64_t ends = length ? (uint64_t)(uint8_t)text[0] << 8 | (uint8_t)text[length - 1] : 0;
    add(take, length + (ends << 16));
    if (take->text)
        take->text(take->context, text, length);
}

static inline void take_text(struct take *take, const char *text)
{
    take_octets(take, text ? text : "", text ? strlen(text) : 0);
}

/* A quoted string without its quotes. */
static inline void take_quoted(struct take *take, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    if (length >= 2 && text[0] == '"')
        take_octets(take, text + 1, length - 2);
    else
        take_octets(take, text ? text : "", length);
}

static inline void take_number(struct take *take, uint64_t number)
{
    add(take, number);
    if (take->number)
        take->number(take->context, number);
}

static inline void take_decimal(struct take *take, const char *digits)
{
    take_number(take, digits ? strtoul(digits, NULL, 10) : 0);
}

static inline void take_host(struct take *take, const char *host)
{
    if (take->host && host)
        take->host(take->context, host, strlen(host));
}
