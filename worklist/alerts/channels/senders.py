"""One message, handed over in the way of its channel."""

from __future__ import annotations

import json
import smtplib
import time
from typing import Final, Protocol
from urllib.parse import parse_qsl, urlencode

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.utils import timezone

from foundation import webhooks
from foundation.webhooks import NotNow, Refused, Unreachable
from worklist.alerts.channels import push
from worklist.alerts.channels.wording import Words
from worklist.alerts.models import Delivery, PushSubscription

GONE: Final = (404, 410)


class NotSetUp(Refused):
    """The site has not given this channel what it needs."""


class SmsProvider(Protocol):
    """Whoever carries text messages."""

    def send(self, *, to: str, text: str, key: str) -> str:
        """Hand over `text` for `to` (+ and digits); returns what the provider said.

        `key` is the same at every attempt. Raises what foundation.webhooks.post raises.
        """


class FormProvider:
    """A provider that takes a form by HTTPS POST, as most do.

    FIRSTREAD_SMS_FORM names the fields, `{to}` and `{text}` in it are filled in; FIRSTREAD_SMS_AUTHORIZATION
    is the Authorization header. The key goes along as Idempotency-Key.
    """

    def send(self, *, to: str, text: str, key: str) -> str:
        """See SmsProvider."""
        fields = [
            (name, value.replace("{to}", to).replace("{text}", text))
            for name, value in parse_qsl(settings.ALERT_SMS_FORM, keep_blank_values=True)
        ]
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": key}
        if settings.ALERT_SMS_AUTHORIZATION:
            headers["Authorization"] = settings.ALERT_SMS_AUTHORIZATION
        return webhooks.post(settings.ALERT_SMS_URL, urlencode(fields).encode(), headers=headers)


def sms_provider() -> SmsProvider:
    """The site's provider; raises NotSetUp without one."""
    if not settings.ALERT_SMS_URL:
        raise NotSetUp("SMS is not set up: name the provider in FIRSTREAD_SMS_URL.")
    return FormProvider()


def hand_over(delivery: Delivery, words: Words) -> str:
    """Send by the delivery's channel; returns what the other side said.

    Raises:
        Unreachable, NotNow: try again.
        Refused: it will never be taken; NotSetUp when this site lacks something.
    """
    match delivery.channel:
        case "email":
            return _email(delivery, words)
        case "sms":
            if delivery.user is None or not delivery.user.phone:
                raise Refused("This person has no telephone number any more.")
            return sms_provider().send(to=delivery.user.phone, text=words.short, key=words.key)
        case "push":
            return _push(delivery, words)
        case "webhook":
            return _webhook(words)
    raise Refused(f"There is no channel {delivery.channel}.")


def _email(delivery: Delivery, words: Words) -> str:
    if not settings.EMAIL_HOST:
        raise NotSetUp("E-mail is not set up: name the mail server in FIRSTREAD_SMTP_HOST.")
    if delivery.user is None or not delivery.user.email:
        raise Refused("This person has no e-mail address any more.")
    # The backend takes host, user, password, TLS and timeout from the settings. The Message-ID is the
    # delivery's own, so that a mail sent again after a death is known as the same one.
    mail = EmailMessage(
        words.title,
        words.text,
        to=[delivery.user.email],
        headers={"Message-ID": f"<{words.key}@{_domain()}>", "X-Priority": "1", "Importance": "high"},
        connection=get_connection(),
    )
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        if codes and all(code >= 500 for code in codes):
            raise Refused(f"The mail server refused the address ({codes[0]}).") from None
        raise NotNow("The mail server does not take this address now.") from None
    except smtplib.SMTPAuthenticationError:
        raise NotSetUp("The mail server refused user or password (FIRSTREAD_SMTP_USER).") from None
    except smtplib.SMTPResponseException as error:
        raise NotNow(f"The mail server answered {error.smtp_code}.") from None
    except (smtplib.SMTPException, OSError) as error:
        raise Unreachable(f"The mail server is not reached ({type(error).__name__}).") from None
    return "taken by the mail server"


def _domain() -> str:
    return settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("> ") or "localhost"


def _webhook(words: Words) -> str:
    if not settings.ALERT_WEBHOOK_URL or not settings.ALERT_WEBHOOK_SECRET:
        raise NotSetUp("The webhook is not set up: FIRSTREAD_ALERT_WEBHOOK_URL and …_SECRET.")
    body = {
        "event": "alert.told",
        "alert": str(words.alert),
        "round": words.round,
        "raised_at": words.raised_at.isoformat(),
        "deadline_at": words.deadline_at.isoformat(),
        "answer_url": words.link,
        "page_url": f"{settings.PUBLIC_URL}/er",
    }
    return webhooks.post_signed(
        settings.ALERT_WEBHOOK_URL,
        json.dumps(body).encode(),
        content_type="application/json",
        secret=settings.ALERT_WEBHOOK_SECRET,
        delivery=words.key,
        at=int(time.time()),
    )


def _push(delivery: Delivery, words: Words) -> str:
    number = delivery.recipient.rpartition(":")[2]
    browser = PushSubscription.objects.filter(pk=number, gone_at__isnull=True).first()
    if browser is None:
        raise Refused("This browser does not take messages any more.")
    try:
        said = push.send(browser, words)
    except Refused as error:
        if error.status in GONE:
            PushSubscription.objects.filter(pk=browser.pk).update(gone_at=timezone.now())
            raise Refused("This browser does not take messages any more.", error.status) from None
        raise
    PushSubscription.objects.filter(pk=browser.pk).update(last_ok_at=timezone.now())
    return said
