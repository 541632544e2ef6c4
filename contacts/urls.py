"""The addresses of contacts and of what belongs to them."""

from django.urls import path
from django.views.generic import RedirectView

from contacts import views

app_name = "contacts"
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="contacts:list"), name="home"),
    path("contacts/", views.contact_list, name="list"),
    path("contacts/<uuid:guid>/", views.overview, name="card"),
    path("contacts/<uuid:guid>/history/", views.history, name="history"),
    path("contacts/<uuid:guid>/head/", views.head, name="head"),
    path("contacts/<uuid:guid>/blocks/<int:pk>/", views.block, name="block"),
    path("contacts/<uuid:guid>/blocks/<int:pk>/remove/", views.lift, name="lift"),
]
