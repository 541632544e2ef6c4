"""The addresses of messages, and where providers post their reports."""

from django.urls import path

from messaging import monitoring, views, webhooks

app_name = "messaging"
urlpatterns = [
    path("contacts/<uuid:guid>/messages/", views.messages_tab, name="tab"),
    path("messages/<int:pk>/", views.details, name="details"),
    path("messages/<int:pk>/row/", views.row, name="row"),
    path("healthz", monitoring.healthz),
    path("readyz", monitoring.readyz),
    path("webhooks/<slug:provider>/", webhooks.receive, name="webhook"),
]
