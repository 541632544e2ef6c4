"""The addresses of contacts and of what belongs to them."""

from django.urls import path
from django.views.generic import RedirectView

from contacts import views
from contacts.blocks import views as blocklist

app_name = "contacts"
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="contacts:list"), name="home"),
    path("contacts/", views.contact_list, name="list"),
    path("contacts/<uuid:guid>/", views.overview, name="card"),
    path("contacts/<uuid:guid>/history/", views.history, name="history"),
    path("contacts/<uuid:guid>/head/", views.head, name="head"),
    path("contacts/<uuid:guid>/labels/", views.label, name="label"),
    path("contacts/<uuid:guid>/blocks/<int:pk>/", views.block, name="block"),
    path("contacts/<uuid:guid>/blocks/<int:pk>/remove/", views.lift, name="lift"),
    path("blocks/", blocklist.block_list, name="blocks"),
    path("blocks/export/", blocklist.export, name="blocks-export"),
    path("blocks/remove/", blocklist.remove, name="blocks-remove"),
    path("blocks/removals/", blocklist.lift_list, name="bulk-lifts"),
    path("blocks/removals/<int:pk>/", blocklist.bulk_lift, name="bulk-lift"),
    path("blocks/removals/<int:pk>/undo/", blocklist.undo, name="bulk-lift-undo"),
]
