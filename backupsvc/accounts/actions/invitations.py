"""The mail that lets somebody in: with a link to choose a password for those who have none."""

from __future__ import annotations

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from backupsvc.accounts.actor import Actor
from backupsvc.accounts.models import Member, User


def send_invitation(member: Member, *, actor: Actor) -> None:
    """Write to the new member, in their own language if it is known, else in the sender's."""
    user = member.user
    with translation.override(user.language or translation.get_language() or settings.LANGUAGE_CODE):
        context = {
            "account": member.account,
            "role": member.get_role_display(),
            "inviter": actor.label,
            "site_name": settings.SITE_NAME,
            "link": settings.SITE_URL
            + (reverse("accounts:home") if user.has_usable_password() else password_path(user)),
            "is_new": not user.has_usable_password(),
            "sign_in": settings.SITE_URL + reverse("account_login"),
        }
        subject = " ".join(render_to_string("accounts/mail/invitation_subject.txt", context).split())
        send_mail(subject, render_to_string("accounts/mail/invitation.txt", context), None, [user.email])


def password_path(user: User) -> str:
    """The address under which the user may choose a password once."""
    return reverse(
        "account_reset_password_from_key",
        kwargs={"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)},
    )
