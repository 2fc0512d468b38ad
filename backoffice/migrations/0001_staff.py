import django.contrib.auth.models
import django.contrib.auth.validators
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "username",
                    models.CharField(
                        error_messages={"unique": "A user with that username already exists."},
                        help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
                        max_length=150,
                        unique=True,
                        validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                        verbose_name="username",
                    ),
                ),
                ("first_name", models.CharField(blank=True, max_length=150, verbose_name="first name")),
                ("last_name", models.CharField(blank=True, max_length=150, verbose_name="last name")),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="email address")),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                ("date_joined", models.DateTimeField(default=django.utils.timezone.now, verbose_name="date joined")),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "permissions": [
                    ("open_account", "Can open an account"),
                    ("update_account", "Can change an account's data, and its trial's end"),
                    ("change_account_terms", "Can change an account's terms, and withdraw them"),
                    ("close_account", "Can close an account, and bill its debt"),
                    ("reopen_account", "Can reopen an account"),
                    ("pause_account", "Can pause and resume an account"),
                    ("give_discount", "Can give an account a discount, and end it"),
                    ("bill_item", "Can add items to an account, and remove them"),
                    ("grant_credit", "Can grant an account credit"),
                    ("record_offline_payment", "Can record an offline payment"),
                    ("credit_invoice", "Can issue a credit note"),
                    ("write_off", "Can write off an invoice"),
                    ("pay_invoice", "Can collect an invoice now"),
                    ("resolve_payment", "Can look up a payment, and record its outcome"),
                    ("refund_payment", "Can refund a payment"),
                    ("resolve_refund", "Can look up a refund, and record its outcome"),
                    ("record_reversed_money", "Can record money taken back, and refunds returned"),
                    ("reverse_entry", "Can reverse a credit or a write-off"),
                    ("release_parked", "Can charge a parked period"),
                    ("skip_parked", "Can skip a parked period"),
                    ("release_run", "Can release a held run"),
                    ("cancel_run", "Can cancel a held run, or a run's parked periods"),
                ],
                "abstract": False,
            },
            managers=[
                ("objects", django.contrib.auth.models.UserManager()),
            ],
        ),
    ]
