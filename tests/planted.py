#!/usr/bin/env python3
"""planted.py [--seed N] [--each N] [--list] - made-up secrets, as JSON lines.

For every rule that is built into scrub, some secrets of its form in lines of
code as they are leaked: {"rule", "secret", "line", "generic"}; a secret that
spans lines has its newlines in line. Nothing of it was ever valid.
"""
import argparse
import json
import random
import string

LOWER = string.ascii_lowercase
UPPER = string.ascii_uppercase
DIGIT = string.digits
ALNUM = LOWER + UPPER + DIGIT
HEX = DIGIT + "abcdef"
URL64 = ALNUM + "-_"
B64 = ALNUM + "+/"
ran = random.Random(1)


def some(chars, n):
    return "".join(ran.choice(chars) for _ in range(n))


def uuid():
    return "-".join(some(HEX, n) for n in (8, 4, 4, 4, 12))


def lines_of(text, width=64):
    return [text[i:i + width] for i in range(0, len(text), width)]


def pem(kind, width=64, n=820, end="="):
    body = "\n".join(lines_of("MII" + some(B64, n) + end, width))
    return "-----BEGIN %sPRIVATE KEY%s-----\n%s\n-----END %s-----" % (
        kind, "" if "PGP" not in kind else " BLOCK", body,
        kind + "PRIVATE KEY" + (" BLOCK" if "PGP" in kind else "")), body


def luhn(prefix, n):
    number = prefix + some(DIGIT, n - 1 - len(prefix))
    total = 0
    for i, c in enumerate(reversed(number)):
        d = int(c) * (2 if i % 2 == 0 else 1)
        total += d - 9 if d > 9 else d
    return number + str(-total % 10)


def iban():
    country, length = ran.choice([("DE", 22), ("ES", 24), ("FR", 27),
                                  ("AT", 20), ("PL", 28)])
    body = some(DIGIT, length - 4)
    text = body + country + "00"
    value = int("".join(str(int(c, 36)) for c in text))
    return "%s%02d%s" % (country, 98 - value % 97, body)


def grouped(text, n=4, by=" "):
    return by.join(text[i:i + n] for i in range(0, len(text), n))


def ipv4():
    return "%d.%d.%d.%d" % (ran.choice([23, 52, 81, 93, 138, 185]),
                            ran.randint(32, 255), ran.randint(0, 255),
                            ran.randint(1, 254))


def ipv6():
    return "2a0%d:%x:%x::%x" % (ran.randint(1, 9), ran.randint(1, 65535),
                                ran.randint(1, 65535), ran.randint(1, 65535))


def mail():
    return "%s.%s@%s.%s" % (some(LOWER, 5), some(LOWER, 7), some(LOWER, 8),
                            ran.choice(["org", "net", "com", "de", "co.uk"]))


# rule: what makes a secret, and lines that it stands in, where those of
# CODE aren't enough.
CODE = ['  key = "%s";', "export TOKEN=%s", "  token: %s", '{"a": "%s"}',
        "// was %s once", "%s"]
MADE = {
    "age-secret-key": lambda: "AGE-SECRET-KEY-1" + some(
        "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "aws-access-token": lambda: ran.choice(["AKIA", "ASIA"]) + some(
        UPPER + "234567", 16),
    "aws-bedrock-key": lambda: "ABSKQmVkcm9ja0FQSUtleS" + some(B64, 110),
    "aws-mws-token": lambda: "amzn.mws." + uuid(),
    "gcp-api-key": lambda: "AIza" + some(URL64, 34) + some(ALNUM, 1),
    "gcp-oauth-secret": lambda: "GOCSPX-" + some(URL64, 28),
    "gcp-oauth-token": lambda: "ya29." + some(URL64, 120),
    "gcp-refresh-token": lambda: "1//0" + some(URL64, 98),
    "azure-client-secret": lambda: some(ALNUM, 3) + "8Q~" + some(
        ALNUM + "_~.-", 33) + some(ALNUM, 1),
    "azure-devops-token": lambda: some(ALNUM, 76) + "AZDO" + some(ALNUM, 4),
    "digitalocean-token": lambda: "dop_v1_" + some(HEX, 64),
    "heroku-key": lambda: "HRKU-AA" + some(URL64, 58),
    "cloudflare-origin-key": lambda: "v1.0-%s-%s" % (some(HEX, 24),
                                                     some(HEX, 146)),
    "alibaba-key-id": lambda: "LTAI" + some(ALNUM, 20),
    "tencent-key-id": lambda: "AKID" + some(ALNUM, 32),
    "yandex-token": lambda: "AQVN" + some(URL64, 36),
    "flyio-token": lambda: "fo1_" + some(URL64, 43),
    "scaleway-key": lambda: "SCW" + some(UPPER + DIGIT, 17),
    "github-token": lambda: ran.choice(["ghp_", "gho_", "ghu_", "ghs_",
                                        "ghr_"]) + some(ALNUM, 36),
    "github-fine-grained": lambda: "github_pat_%s_%s" % (some(ALNUM, 22),
                                                         some(ALNUM, 59)),
    "gitlab-token": lambda: ran.choice(["glpat-", "gldt-", "glrt-",
                                        "glptt-"]) + some(URL64, 20),
    "gitlab-runner-registration": lambda: "GR1348941" + some(URL64, 20),
    "bitbucket-token": lambda: "ATBB" + some(ALNUM, 32),
    "atlassian-token": lambda: "ATATT3" + some(URL64, 180),
    "sourcegraph-token": lambda: "sgp_%s_%s" % (some(HEX, 16),
                                                some(HEX, 40)),
    "slack-token": lambda: "xoxb-%s-%s-%s" % (some(DIGIT, 12),
                                              some(DIGIT, 12),
                                              some(ALNUM, 24)),
    "slack-app-token": lambda: "xapp-1-%s-%s-%s" % (
        some(UPPER + DIGIT, 11), some(DIGIT, 13), some(HEX, 64)),
    "slack-config-token": lambda: "xoxe-1-" + some(ALNUM, 147),
    "telegram-bot-token": lambda: "%s:AA%s" % (
        "7" + some(DIGIT, 9), some(URL64, 33)),
    "twilio-key": lambda: "SK" + some(HEX, 32),
    "sendgrid-key": lambda: "SG.%s.%s" % (some(URL64, 22), some(URL64, 43)),
    "mailgun-key": lambda: "key-" + some(HEX, 32),
    "mailchimp-key": lambda: some(HEX, 32) + "-us%d" % ran.randint(1, 21),
    "brevo-key": lambda: "xkeysib-%s-%s" % (some(HEX, 64), some(ALNUM, 16)),
    "stripe-key": lambda: "sk_live_" + some(ALNUM, 24),
    "stripe-webhook-secret": lambda: "whsec_" + some(ALNUM, 32),
    "square-token": lambda: "sq0atp-" + some(URL64, 22),
    "paypal-braintree-token": lambda: "access_token$production$%s$%s" % (
        some(LOWER + DIGIT, 16), some(HEX, 32)),
    "plaid-token": lambda: "access-production-" + uuid(),
    "shopify-token": lambda: ran.choice(["shpat_", "shpca_", "shppa_",
                                         "shpss_"]) + some(HEX, 32),
    "easypost-key": lambda: "EZAK" + some(ALNUM, 54),
    "flutterwave-key": lambda: "FLWSECK-%s-X" % some(HEX, 32),
    "razorpay-key": lambda: "rzp_live_" + some(ALNUM, 14),
    "lob-key": lambda: "live_" + some(HEX, 35),
    "shippo-token": lambda: "shippo_live_" + some(HEX, 40),
    "duffel-token": lambda: "duffel_live_" + some(URL64, 43),
    "openai-key": lambda: "sk-proj-%sT3BlbkFJ%s" % (some(URL64, 74),
                                                    some(ALNUM, 74)),
    "anthropic-key": lambda: "sk-ant-api03-%sAA" % some(URL64, 93),
    "huggingface-token": lambda: "hf_" + some(LOWER + UPPER, 34),
    "replicate-token": lambda: "r8_" + some(ALNUM, 37),
    "groq-key": lambda: "gsk_" + some(ALNUM, 52),
    "perplexity-key": lambda: "pplx-" + some(ALNUM, 48),
    "xai-key": lambda: "xai-" + some(ALNUM, 80),
    "openrouter-key": lambda: "sk-or-v1-" + some(HEX, 64),
    "langsmith-key": lambda: "lsv2_pt_%s_%s" % (some(HEX, 32),
                                                some(HEX, 10)),
    "npm-token": lambda: "npm_" + some(ALNUM, 36),
    "pypi-token": lambda: "pypi-AgEIcHlwaS5vcmc" + some(URL64, 150),
    "rubygems-key": lambda: "rubygems_" + some(HEX, 48),
    "nuget-key": lambda: "oy2" + some(LOWER + DIGIT, 43),
    "crates-token": lambda: "cio" + some(ALNUM, 32),
    "clojars-token": lambda: "CLOJARS_" + some(HEX, 60),
    "dockerhub-token": lambda: "dckr_pat_" + some(URL64, 27),
    "artifactory-key": lambda: "AKCp" + some(ALNUM, 69),
    "artifactory-reference": lambda: "cmVmd" + some(ALNUM, 59),
    "databricks-token": lambda: "dapi" + some(HEX, 32),
    "planetscale-token": lambda: "pscale_tkn_" + some(URL64, 43),
    "supabase-key": lambda: "sbp_" + some(HEX, 40),
    "vault-token": lambda: "hvs." + some(URL64, 95),
    "terraform-token": lambda: "%s.atlasv1.%s" % (some(ALNUM, 14),
                                                  some(ALNUM, 67)),
    "pulumi-token": lambda: "pul-" + some(HEX, 40),
    "doppler-token": lambda: "dp.pt." + some(ALNUM, 43),
    "dynatrace-token": lambda: "dt0c01.%s.%s" % (some(UPPER + DIGIT, 24),
                                                 some(UPPER + DIGIT, 64)),
    "newrelic-key": lambda: "NRAK-" + some(UPPER + DIGIT, 27),
    "grafana-token": lambda: "glsa_%s_%s" % (some(ALNUM, 32), some(HEX, 8)),
    "sentry-token": lambda: "sntryu_" + some(HEX, 64),
    "onepassword-token": lambda: "A3-%s-%s-%s-%s-%s" % tuple(
        some(UPPER + DIGIT, n) for n in (6, 11, 5, 5, 5)),
    "postman-key": lambda: "PMAK-%s-%s" % (some(HEX, 24), some(HEX, 34)),
    "linear-key": lambda: "lin_api_" + some(ALNUM, 40),
    "notion-token": lambda: "ntn_" + some(ALNUM, 46),
    "airtable-token": lambda: "pat%s.%s" % (some(ALNUM, 14), some(HEX, 64)),
    "asana-token": lambda: "1/%s:%s" % (some(DIGIT, 16), some(HEX, 32)),
    "figma-token": lambda: "figd_" + some(ALNUM, 40),
    "typeform-token": lambda: "tfp_" + some(URL64, 59),
    "readme-key": lambda: "rdme_" + some(LOWER + DIGIT, 70),
    "prefect-key": lambda: "pnu_" + some(ALNUM, 36),
    "frameio-token": lambda: "fio-u-" + some(URL64, 64),
    "facebook-token": lambda: "EAA" + some(ALNUM, 180),
    "twitter-bearer": lambda: "A" * 22 + some(ALNUM, 90),
    "adobe-secret": lambda: "p8e-" + some(ALNUM, 32),
    "contentful-token": lambda: "CFPAT-" + some(URL64, 43),
    "dropbox-token": lambda: "sl." + some(URL64, 140),
    "tailscale-key": lambda: "tskey-auth-%s-%s" % (some(ALNUM, 17),
                                                   some(ALNUM, 32)),
    "buildkite-token": lambda: "bkua_" + some(HEX, 40),
    "circleci-token": lambda: "CCIPAT_%s_%s" % (some(ALNUM, 22),
                                                some(HEX, 40)),
    "jwt": lambda: "eyJ%s.eyJ%s.%s" % (some(ALNUM, 33), some(URL64, 70),
                                       some(URL64, 43)),
    "password-hash": lambda: "$2b$12$" + some(ALNUM + "./", 53),
    "email": mail,
}
# rule: (what makes a secret, lines around it)
NAMED = {
    "aws-secret-key": (lambda: some(B64, 40), [
        'aws_secret_access_key = "%s"', "AWS_SECRET_ACCESS_KEY=%s",
        "  secretAccessKey: '%s',"]),
    "aws-session-token": (lambda: some(B64, 300), [
        "aws_session_token = %s", 'AWS_SESSION_TOKEN="%s"']),
    "azure-account-key": (lambda: some(B64, 86) + "==", [
        '"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=%s;"',
        "Endpoint=sb://x/;SharedAccessKey=%s"]),
    "azure-sas-signature": (lambda: some(ALNUM, 43) + "%3D", [
        '"https://a.blob.core.windows.net/c?sv=2022-11-02&sig=%s"']),
    "heroku-key-named": (uuid, ["HEROKU_API_KEY=%s", 'heroku_key: "%s"']),
    "cloudflare-token": (lambda: some(URL64, 39) + some(ALNUM, 1), [
        'CLOUDFLARE_API_TOKEN="%s"', "cf_api_token: %s"]),
    "slack-webhook": (lambda: "T%s/B%s/%s" % (
        some(UPPER + DIGIT, 8), some(UPPER + DIGIT, 10), some(ALNUM, 24)), [
        '"https://hooks.slack.com/services/%s"']),
    "discord-bot-token": (lambda: "MT%s.%s.%s" % (
        some(URL64, 24), some(URL64, 6), some(URL64, 37) + some(ALNUM, 1)), [
        "DISCORD_TOKEN=%s", 'bot.login("%s")', '{"token": "%s"}']),
    "discord-webhook": (lambda: some(URL64, 68), [
        "https://discord.com/api/webhooks/123456789012345678/%s"]),
    "teams-webhook": (lambda: "%s@%s/IncomingWebhook/%s/%s" % (
        uuid(), uuid(), some(HEX, 32), uuid()), [
        "https://acme.webhook.office.com/webhookb2/%s"]),
    "twilio-token-named": (lambda: some(HEX, 32), [
        'TWILIO_AUTH_TOKEN="%s"', "twilio_auth_token: %s"]),
    "postmark-token": (uuid, ["POSTMARK_API_TOKEN=%s"]),
    "wandb-key-named": (lambda: some(HEX, 40), ["WANDB_API_KEY=%s"]),
    "npm-auth-line": (lambda: some(HEX, 36), [
        "//registry.npmjs.org/:_authToken=%s"]),
    "mongodb-atlas-key": (uuid, ['MONGODB_ATLAS_PRIVATE_KEY = "%s"']),
    "algolia-key-named": (lambda: some(HEX, 32), [
        "ALGOLIA_ADMIN_KEY=%s", "algolia_write_api_key: '%s'"]),
    "fastly-token-named": (lambda: some(URL64, 31) + some(ALNUM, 1), [
        "FASTLY_API_TOKEN=%s"]),
    "datadog-key-named": (lambda: some(HEX, 32), [
        "DATADOG_API_KEY=%s", 'dd_api_key: "%s"']),
    "pagerduty-key-named": (lambda: some(ALNUM, 20), [
        'PAGERDUTY_TOKEN="%s"']),
    "okta-token": (lambda: "00" + some(URL64, 39) + some(ALNUM, 1), [
        "Authorization: SSWS %s"]),
    "url-password": (lambda: some(ALNUM, 14), [
        "postgres://app:%s@db.internal:5432/x",
        'git clone https://bot:%s@git.acme.io/x.git']),
    "authorization-header": (lambda: some(URL64, 50), [
        '-H "Authorization: Bearer %s"', "authorization: Basic %s"]),
    "curl-user": (lambda: some(ALNUM, 12), [
        "curl -s -u deploy:%s https://api.acme.io/"]),
    "connection-string-password": (lambda: some(ALNUM, 12), [
        '"Server=db1;Database=x;User Id=sa;Password=%s;"']),
    "ipv4": (ipv4, ["host: %s", 'connect("%s", 80);', "http://%s:8080/",
                    "ping %s"]),
    "ipv6": (ipv6, ["host: %s", 'connect("%s", 80);', "AAAA %s"]),
    "phone": (lambda: ran.choice([
        "+49 %s %s" % ("30", some(DIGIT, 4) + " " + some(DIGIT, 4)),
        "+1-%s-%s-%s" % (some("23456789", 3), some("23456789", 3),
                         some(DIGIT, 4)),
        "(%s) %s-%s" % (some("23456789", 3), some("2346789", 3),
                        some(DIGIT, 4))]), ["call %s", "tel: %s"]),
    "card-number": (lambda: grouped(luhn("4", 16), 4, ran.choice(" -")), [
        "paid with %s", 'number = "%s"']),
    "iban": (lambda: ran.choice([str, grouped])(iban()), [
        "IBAN %s", 'account = "%s"']),
    "private-key-in-line": (lambda: "\\n".join(
        [""] + lines_of(some(B64, 800)) + [""]), [
        'key = "-----BEGIN PRIVATE KEY-----%s-----END PRIVATE KEY-----\\n"']),
    "generic-password": (lambda: some(ALNUM + "!?", 12), [
        'db_password = "%s"', "'passwd': '%s',"]),
    "generic-secret-base64": (lambda: some(B64, 40), [
        'client_secret = "%s"', "API_KEY: '%s'"]),
    "generic-secret-hex": (lambda: some(HEX, 40), [
        'secret_token = "%s"', "apikey: '%s'"]),
}


def planted(each):
    for rule, make in MADE.items():
        for i in range(each):
            secret = make()
            yield rule, secret, CODE[i % len(CODE)].replace("%s", secret)
    for rule, (make, frames) in NAMED.items():
        for i in range(each):
            secret = make()
            yield rule, secret, frames[i % len(frames)].replace("%s", secret)
    for i in range(each):
        text, body = pem(("", "RSA ", "EC ", "OPENSSH ", "PGP ")[i % 5],
                         70 if i % 5 == 3 else 64)
        yield "private-key", body, text


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--each", type=int, default=10)
    o = args.parse_args()
    ran.seed(o.seed)
    for rule, secret, line in planted(o.each):
        print(json.dumps({"rule": rule, "secret": secret, "line": line}))


main()
