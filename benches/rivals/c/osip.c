/* osip2: reads every known header at once, each piece into memory of its own. */

#include <osipparser2/osip_port.h>
#include <osipparser2/osip_parser.h>
#include <osipparser2/osip_message.h>
#include <strings.h>

#include "take.h"

static void url(struct take *take, osip_uri_t const *url)
{
    take_text(take, url->username);
    take_host(take, url->host);
    take_decimal(take, url->port);
}

static const char *param(osip_list_t *params, const char *name)
{
    osip_generic_param_t *found = NULL;
    osip_generic_param_get_byname(params, (char *)name, &found);
    return found ? found->gvalue : NULL;
}

static void routes(struct take *take, osip_list_t *list)
{
    for (int i = 0; i < osip_list_size(list); i++) {
        osip_route_t *route = osip_list_get(list, i);
        osip_uri_param_t *lr = NULL;
        url(take, route->url);
        osip_uri_uparam_get_byname(route->url, "lr", &lr);
        take_number(take, lr != NULL);
    }
}

static osip_message_t *parse(const char *data, size_t length)
{
    osip_message_t *message;
    if (osip_message_init(&message) != 0)
        return NULL;
    if (osip_message_parse(message, data, length) == 0)
        return message;
    osip_message_free(message);
    return NULL;
}

int osip_ready(void)
{
    return parser_init();
}

int osip_frame(const char *data, size_t length, struct take *take)
{
    osip_message_t *message = parse(data, length);
    if (!message)
        return 0;
    osip_body_t *body = osip_list_get(&message->bodies, 0);
    take_number(take, body ? body->length : 0);
    osip_message_free(message);
    return 1;
}

int osip_typed(const char *data, size_t length, struct take *take)
{
    osip_message_t *message = parse(data, length);
    if (!message)
        return 0;
    if (message->req_uri)
        url(take, message->req_uri);
    for (int i = 0; i < osip_list_size(&message->vias); i++) {
        osip_via_t *via = osip_list_get(&message->vias, i);
        take_text(take, param(&via->via_params, "branch"));
        take_host(take, param(&via->via_params, "received"));
        take_decimal(take, param(&via->via_params, "rport"));
        take_host(take, via->host);
        take_decimal(take, via->port);
    }
    url(take, message->from->url);
    take_text(take, param(&message->from->gen_params, "tag"));
    url(take, message->to->url);
    take_text(take, param(&message->to->gen_params, "tag"));
    /* It has the Call-ID in two pieces. */
    char call_id[256];
    size_t length_of_id = strlen(message->call_id->number);
    if (message->call_id->host && length_of_id + strlen(message->call_id->host) + 1 < sizeof call_id) {
        memcpy(call_id, message->call_id->number, length_of_id);
        call_id[length_of_id] = '@';
        strcpy(call_id + length_of_id + 1, message->call_id->host);
        take_text(take, call_id);
    } else {
        take_text(take, message->call_id->number);
    }
    take_decimal(take, message->cseq->number);
    for (int i = 0; i < osip_list_size(&message->contacts); i++)
        url(take, ((osip_contact_t *)osip_list_get(&message->contacts, i))->url);
    routes(take, &message->routes);
    routes(take, &message->record_routes);
    for (int i = 0; i < osip_list_size(&message->authorizations); i++) {
        osip_authorization_t *digest = osip_list_get(&message->authorizations, i);
        take_quoted(take, digest->username);
        take_quoted(take, digest->realm);
        take_quoted(take, digest->nonce);
        take_quoted(take, digest->uri);
        take_quoted(take, digest->response);
        take_quoted(take, digest->cnonce);
        take_quoted(take, digest->opaque);
        take_number(take, digest->nonce_count ? strtoul(digest->nonce_count, NULL, 16) : 0);
    }
    for (int i = 0; i < osip_list_size(&message->proxy_authenticates); i++) {
        osip_proxy_authenticate_t *digest = osip_list_get(&message->proxy_authenticates, i);
        take_quoted(take, digest->realm);
        take_quoted(take, digest->nonce);
        take_quoted(take, digest->opaque);
    }
    for (int i = 0; i < osip_list_size(&message->headers); i++) {
        osip_header_t *header = osip_list_get(&message->headers, i);
        if (strncasecmp(header->hname, "X-PH-", 5) == 0)
            take_text(take, header->hvalue);
    }
    osip_message_free(message);
    return 1;
}
