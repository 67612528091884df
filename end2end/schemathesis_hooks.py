"""How schemathesis writes the bodies that are neither JSON nor forms."""

import schemathesis


@schemathesis.serializer("message/rfc822", "application/mbox", "application/octet-stream")
def as_it_is(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
