/* sofia-sip: reads every known header at once, into memory that belongs to the message. */

#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/msg.h>
#include <sofia-sip/msg_header.h>
#include <sofia-sip/msg_parser.h>
#include <sofia-sip/url.h>
#include <strings.h>

#include "take.h"

static void url(struct take *take, url_t const *url)
{
    take_text(take, url->url_user);
    take_host(take, url->url_host);
    take_decimal(take, url->url_port);
}

static void routes(struct take *take, sip_route_t const *route)
{
    for (; route; route = route->r_next) {
        url(take, route->r_url);
        take_number(take, url_has_param(route->r_url, "lr"));
    }
}

static void digest(struct take *take, sip_header_t const *header, msg_param_t const *params, int credentials)
{
    (void)header;
    static const char *const ours[] = {"username=", "realm=", "nonce=", "uri=", "response=", "cnonce=", "opaque="};
    static const char *const theirs[] = {"realm=", "nonce=", "opaque="};
    if (!params)
        return;
    if (!credentials) {
        for (int i = 0; i < 3; i++)
            take_quoted(take, msg_params_find(params, theirs[i]));
        return;
    }
    for (int i = 0; i < 7; i++)
        take_quoted(take, msg_params_find(params, ours[i]));
    char const *nc = msg_params_find(params, "nc=");
    take_number(take, nc ? strtoul(nc, NULL, 16) : 0);
}

static msg_t *parse(const char *data, size_t length, sip_t **sip)
{
    msg_t *msg = msg_make(sip_default_mclass(), 0, data, length);
    *sip = msg ? sip_object(msg) : NULL;
    if (msg && (!*sip || (*sip)->sip_error || !((*sip)->sip_request || (*sip)->sip_status))) {
        msg_destroy(msg);
        msg = NULL;
    }
    return msg;
}

int sofia_frame(const char *data, size_t length, struct take *take)
{
    sip_t *sip;
    msg_t *msg = parse(data, length, &sip);
    if (!msg)
        return 0;
    take_number(take, sip->sip_payload ? sip->sip_payload->pl_len : 0);
    msg_destroy(msg);
    return 1;
}

int sofia_typed(const char *data, size_t length, struct take *take)
{
    sip_t *sip;
    msg_t *msg = parse(data, length, &sip);
    if (!msg)
        return 0;
    if (sip->sip_request)
        url(take, sip->sip_request->rq_url);
    for (sip_via_t const *via = sip->sip_via; via; via = via->v_next) {
        take_text(take, via->v_branch);
        take_host(take, via->v_received);
        take_decimal(take, via->v_rport);
        take_host(take, via->v_host);
        take_decimal(take, via->v_port);
    }
    url(take, sip->sip_from->a_url);
    take_text(take, sip->sip_from->a_tag);
    url(take, sip->sip_to->a_url);
    take_text(take, sip->sip_to->a_tag);
    take_text(take, sip->sip_call_id->i_id);
    take_number(take, sip->sip_cseq->cs_seq);
    for (sip_contact_t const *contact = sip->sip_contact; contact; contact = contact->m_next)
        url(take, contact->m_url);
    routes(take, sip->sip_route);
    routes(take, sip->sip_record_route);
    if (sip->sip_authorization)
        digest(take, NULL, sip->sip_authorization->au_params, 1);
    if (sip->sip_proxy_authenticate)
        digest(take, NULL, sip->sip_proxy_authenticate->au_params, 0);
    for (msg_unknown_t const *other = sip->sip_unknown; other; other = other->un_next)
        if (strncasecmp(other->un_name, "X-PH-", 5) == 0)
            take_text(take, other->un_value);
    msg_destroy(msg);
    return 1;
}
