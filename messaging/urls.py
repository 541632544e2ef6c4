"""The addresses of messages, and where providers post their reports."""

from django.urls import path

from messaging import metrics, monitoring, provider_views, tracking, views, webhooks

app_name = "messaging"
urlpatterns = [
    path("contacts/<uuid:guid>/messages/", views.messages_tab, name="tab"),
    path("messages/<int:pk>/", views.details, name="details"),
    path("messages/<int:pk>/row/", views.row, name="row"),
    path("providers/", provider_views.overview, name="providers"),
    path("providers/<slug:slug>/test/", provider_views.test, name="test"),
    path("metrics", metrics.metrics),
    path("healthz", monitoring.healthz),
    path("readyz", monitoring.readyz),
    # What mails lead to: short, since they stand in SMS as well (sendouts/contents.py).
    path("o/<str:token>.gif", tracking.opened),
    path("c/<str:token>/<int:number>/", tracking.clicked),
    path("u/<str:token>/", tracking.leave),
    path("webhooks/<slug:provider>/", webhooks.receive, name="webhook"),
]
