"""The table of credentials of services for messages, mail, payments, shops and work."""

from typing import Final

from policyd.detect.checks import is_mixed, is_random, is_varied, varied
from policyd.detect.pattern import Pattern, alone, token

__all__ = ["SERVICES"]

UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

SERVICES: Final = (
    token("secret.slack", r"xoxb-[0-9]{8,14}-[A-Za-z0-9-]{18,60}|xox[pe]-(?:[0-9]{9,14}-){2,3}[A-Za-z0-9]{24,64}", "xoxb-", "xoxp-", "xoxe-"),
    token("secret.slack", r"xox[aors]-(?:[0-9]+-){2,5}[0-9a-zA-Z]{8,}|xoxe(?:\.xox[bp])?-[0-9]-[A-Za-z0-9]{100,}|xox[cd]-[A-Za-z0-9%+/-]{60,}",
          "xoxa-", "xoxo-", "xoxr-", "xoxs-", "xoxe", "xoxc-", "xoxd-", check=varied(2.0)),
    token("secret.slack", r"xox[ar]-(?:[0-9]-)?([0-9A-Za-z]{12,48})", "xoxa-", "xoxr-", check=is_mixed),
    token("secret.slack", r"xapp-[0-9]-[A-Za-z0-9]+-[0-9]+-[A-Za-z0-9]{32,}", "xapp-"),
    Pattern("secret.slack", ("hooks.slack.com",), r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/]{40,})", is_varied),
    Pattern("secret.discord", ("/api/webhooks/",), r"discord(?:app)?\.com/api/webhooks/[0-9]{16,20}/([A-Za-z0-9_-]{60,})", is_varied),
    Pattern("secret.discord", ("discord",), r"(?:^|[^A-Za-z0-9])([MNO][A-Za-z0-9]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38})", is_random),
    Pattern("secret.teams", ("webhookb2",), r"webhook\.office\.com/webhookb2/[a-z0-9-]{36}@[a-z0-9-]{36}/IncomingWebhook/[a-z0-9]{32}/[a-z0-9-]{36}"),
    Pattern("secret.telegram", (), r"(?:^|[^0-9])[0-9]{5,16}:(A[A-Za-z0-9_-]{34})(?:[^A-Za-z0-9_-]|$)", is_mixed, (":A",)),
    token("secret.stripe", r"(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{10,}", *(f"{a}k_{b}_" for a in "sr" for b in ("live", "test", "prod"))),
    token("secret.stripe", r"whsec_[A-Za-z0-9+/=]{32,}", "whsec_"),
    alone("secret.square", r"sq0(?:atp|csp|idp)-[0-9A-Za-z_-]{22,43}|EAAA[A-Za-z0-9_-]{56,60}", "sq0atp-", "sq0csp-", "sq0idp-", "EAAA", check=is_mixed),
    token("secret.paypal", r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}", "access_token$"),
    token("secret.adyen", r"AQE[a-z][a-z0-9]{0,3}hmf[A-Za-z0-9+/=-]{60,}", "AQE"),
    token("secret.flutterwave", r"FLWSECK(?:_TEST)?-(?:[a-zA-Z0-9]{32}-X|[a-hA-H0-9]{12})", "FLWSECK"),
    token("secret.razorpay", r"rzp_(?:live|test)_[A-Za-z0-9]{14}", "rzp_live_", "rzp_test_"),
    token("secret.gocardless", r"live_[A-Za-z0-9=_-]{40}", "live_", check=is_random),
    token("secret.plaid", rf"access-(?:sandbox|development|production)-{UUID}", "access-sandbox-", "access-development-", "access-production-"),
    token("secret.duffel", r"duffel_(?:test|live)_[A-Za-z0-9_=-]{43}", "duffel_test_", "duffel_live_"),
    alone("secret.easypost", r"EZ[AT]K[A-Za-z0-9]{54}", "EZAK", "EZTK", check=is_mixed),
    token("secret.shippo", r"shippo_(?:live|test)_[a-fA-F0-9]{40}", "shippo_live_", "shippo_test_"),
    alone("secret.lob", r"(?:live|test)_(?:[a-f0-9]{35}|pub_[a-f0-9]{31})", "live_", "test_", check=is_random),
    token("secret.shopify", r"shp(?:at|ca|pa|ss|ua|tka)_[a-fA-F0-9]{32}", "shpat_", "shpca_", "shppa_", "shpss_", "shpua_", "shptka_"),
    Pattern("secret.freemius", ("secret_key",), r"['\"]secret_key['\"]\s*=>\s*['\"](sk_\S{29})['\"]", is_mixed),
    alone("secret.twilio", r"SK[0-9a-fA-F]{32}", *("SK" + digit for digit in "0123456789abcdefABCDEF"), check=is_mixed),
    token("secret.sendgrid", r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}", "SG."),
    token("secret.sendgrid", r"SG\.[A-Za-z0-9=_.-]{66}", "SG.", check=is_random),
    alone("secret.mailgun", r"(?:pub)?key-[0-9a-f]{32}", "key-"),
    Pattern("secret.mailgun", ("mailgun",), r"(?i)mailgun[^\n]{0,60}?([a-h0-9]{32}-[a-h0-9]{8}-[a-h0-9]{8})", is_random),
    alone("secret.mailchimp", r"[0-9a-f]{32}-us[0-9]{1,2}", "-us"),
    token("secret.mandrill", r"md-[A-Za-z0-9_-]{22}(?:[^A-Za-z0-9_-]|$)", "md-", check=is_random),
    token("secret.brevo", r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}|xsmtpsib-[a-f0-9]{64}-[A-Za-z0-9]{16}", "xkeysib-", "xsmtpsib-"),
    token("secret.resend", r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}", "re_", check=is_random),
    alone("secret.facebook", r"EAA[MCBGU][A-Za-z0-9]{90,}", "EAAM", "EAAC", "EAAB", "EAAG", "EAAU", check=is_random),
    Pattern("secret.facebook", ("facebook",), r"(?:^|[^0-9])([0-9]{15,16}(?:\||%7C|%)[0-9A-Za-z_-]{27,40})", is_random),
    Pattern("secret.twitter", (), r"(?:^|[^A-Za-z0-9])(A{20,22}[A-Za-z0-9%]{20,}%[23][A-Za-z0-9%]{20,})", is_random, ("AAAAAAAAAAAAAAAAAAAA",)),
    token("secret.linkedin", r"WPL_AP1\.[A-Za-z0-9]{16}\.[A-Za-z0-9+/=]{4,12}", "WPL_AP1."),
    token("secret.linear", r"lin_(?:api|oauth)_[A-Za-z0-9]{40,64}", "lin_api_", "lin_oauth_"),
    alone("secret.notion", r"ntn_[0-9]{11}[A-Za-z0-9]{35}", "ntn_", check=is_mixed),
    token("secret.figma", r"fig[dour]_[A-Za-z0-9_-]{38,}", "figd_", "figo_", "figu_", "figr_"),
    Pattern("secret.asana", ("asana",), r"[0-9]/[0-9]{15,17}(?:/[0-9]{15,17})?:[a-f0-9]{32}", is_varied),
    token("secret.airtable", r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}", "pat"),
    token("secret.hubspot", rf"pat-(?:na|eu)[0-9]-{UUID}", "pat-na", "pat-eu"),
    token("secret.typeform", r"tfp_[A-Za-z0-9_.=-]{40,}", "tfp_"),
    token("secret.frameio", r"fio-u-[A-Za-z0-9_=-]{64}", "fio-u-"),
    token("secret.contentful", r"CFPAT-[A-Za-z0-9_-]{43}", "CFPAT-"),
    token("secret.intra42", r"s-s4t2(?:ud|af)-[a-fA-F0-9]{64}", "s-s4t2ud-", "s-s4t2af-"),
    token("secret.authress", r"(?:sc|ext|scauth|authress)_[A-Za-z0-9]{5,30}\.[A-Za-z0-9]{4,6}\.acc[_-][A-Za-z0-9-]{10,32}\.[A-Za-z0-9+/_=-]{30,120}", ".acc_", ".acc-"),
    token("secret.settlemint", r"sm_(?:pat|aat|sat)_[A-Za-z0-9]{12,}", "sm_pat_", "sm_aat_", "sm_sat_"),
    token("secret.maxmind", r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk", "_mmk"),
    token("secret.adobe", r"p8e-[A-Za-z0-9]{32}", "p8e-"),
    token("secret.dropbox", r"sl\.(?:u\.)?[A-Za-z0-9_=-]{130,}", "sl."),
    token("secret.beamer", r"b_[A-Za-z0-9=_-]{44}(?:[^A-Za-z0-9=_-]|$)", "b_", check=is_random),
    Pattern("secret.okta", ("okta", "ssws "), r"(?i:okta[^\n]{0,40}?|ssws )[\"'=: ](00[A-Za-z0-9_-]{40})(?:[^A-Za-z0-9_-]|$)", is_random),
    token("secret.mapbox", r"sk\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}", "sk.eyJ"),
)  # fmt: skip
