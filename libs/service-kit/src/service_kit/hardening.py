"""What an answer tells a browser, so that nothing is made of it but what it is."""

HARDENING = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    # Pages of other origins read answers by CORS, which this does not concern, or not at all.
    (b"cross-origin-resource-policy", b"same-origin"),
)
POLICY_HEADER = b"content-security-policy"
# Of data, which is no page, and loads and frames nothing.
DATA_POLICY = (POLICY_HEADER, b"default-src 'none'; frame-ancestors 'none'")
