"""Every address of the product."""

from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path

from engage.requests import LoginForm

admin.autodiscover()
handler400 = "engage.requests.not_understood"
_LOG_IN = auth_views.LoginView.as_view(redirect_authenticated_user=True, authentication_form=LoginForm)
urlpatterns = [
    path("login/", _LOG_IN, name="login"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("", include("messaging.urls")),
    path("", include("contacts.urls")),
]
