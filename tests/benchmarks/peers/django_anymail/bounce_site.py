"""The whole Django project: settings, URL and WSGI application, as small as Django allows.

Nothing is in it that would slow it down: no middleware, no sessions, no ORM, no debug, no access log.
"""

import os

from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ANYMAIL={
        name: os.environ[f"PEER_{name}"]
        # The one for Postmark's user and password, the other for SendGrid's public key.
        for name in ("WEBHOOK_SECRET", "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY")
        if f"PEER_{name}" in os.environ
    },
    DEBUG=False,
    INSTALLED_APPS=["anymail"],
    LOGGING_CONFIG=None,
    MIDDLEWARE=[],
    ROOT_URLCONF="bounce_urls",
    SECRET_KEY="not-used-by-anything-here",
    USE_TZ=True,
)

from django.core.wsgi import get_wsgi_application  # noqa: E402 - Django wants its settings first

application = get_wsgi_application()

import feedback_handler  # noqa: E402, F401 - connects the signal handler; needs the applications loaded
