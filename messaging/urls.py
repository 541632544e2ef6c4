"""The addresses of messages, and where providers post their reports."""

from django.urls import path

from messaging import block_list_views, block_views, metrics, monitoring, provider_views, tracking, views, webhooks

app_name = "messaging"
urlpatterns = [
    path("contacts/<uuid:guid>/messages/", views.messages_tab, name="tab"),
    path("messages/<int:pk>/", views.details, name="details"),
    path("messages/<int:pk>/row/", views.row, name="row"),
    path("providers/", provider_views.overview, name="providers"),
    path("providers/<slug:slug>/test/", provider_views.test, name="test"),
    path("block-rules/", block_views.overview, name="block_rules"),
    path("block-rules/outages/", block_views.outage_rule, name="outage_rule"),
    path("block-rules/outages/<int:pk>/", block_views.outage, name="outage"),
    path("block-rules/outages/<int:pk>/decide/", block_views.decide, name="decide"),
    path("block-rules/<slug:channel>/", block_views.soft_rule, name="soft_rule"),
    path("blocks/imports/", block_list_views.imports, name="imports"),
    path("blocks/imports/<int:pk>/", block_list_views.one_import, name="import"),
    path("blocks/imports/<int:pk>/confirm/", block_list_views.confirm, name="import-confirm"),
    path("blocks/imports/<int:pk>/drop/", block_list_views.drop, name="import-drop"),
    path("metrics", metrics.metrics),
    path("healthz", monitoring.healthz),
    path("readyz", monitoring.readyz),
    # What mails lead to: short, since they stand in SMS as well (sendouts/contents.py).
    path("o/<str:token>.gif", tracking.opened),
    path("c/<str:token>/<int:number>/", tracking.clicked),
    path("u/<str:token>/", tracking.leave),
    path("webhooks/<slug:provider>/", webhooks.receive, name="webhook"),
]
