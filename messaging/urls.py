"""The addresses of messages, and where providers post their reports."""

from django.urls import path, re_path

from messaging.card import views
from messaging.inbox import webhooks
from messaging.monitoring import metrics, provider_views
from messaging.monitoring import views as monitoring
from messaging.sendouts import control_group_views, restored_views, steps
from messaging.sendouts import views as send_out_views
from messaging.sendouts.outcome import views as outcome_views
from messaging.suppression import import_views
from messaging.suppression import views as block_views
from messaging.tracking import views as tracking

app_name = "messaging"
urlpatterns = [
    # First, as they are looked up one after the other, and these are asked for most.
    path("webhooks/<slug:provider>/", webhooks.receive, name="webhook"),
    # What mails lead to: short, since they stand in SMS as well (sendouts/contents.py).
    # All that stands behind, line breaks too: tracking/mended.py makes out what it was.
    re_path(r"^o/(?P<rest>[\s\S]+)$", tracking.opened),
    re_path(r"^c/(?P<rest>[\s\S]+)$", tracking.clicked),
    re_path(r"^u/(?P<rest>[\s\S]+)$", tracking.leave),
    path("contacts/<uuid:guid>/messages/", views.messages_tab, name="tab"),
    path("messages/<int:pk>/", views.details, name="details"),
    path("messages/<int:pk>/row/", views.row, name="row"),
    path("providers/", provider_views.overview, name="providers"),
    path("providers/<slug:slug>/test/", provider_views.test, name="test"),
    path("block-rules/", block_views.overview, name="block_rules"),
    path("block-rules/outages/", block_views.outage_rule, name="outage_rule"),
    path("block-rules/guesses/", block_views.doubt_rule, name="doubt_rule"),
    path("block-rules/outages/<int:pk>/", block_views.outage, name="outage"),
    path("block-rules/outages/<int:pk>/decide/", block_views.decide, name="decide"),
    path("block-rules/<slug:channel>/", block_views.soft_rule, name="soft_rule"),
    path("blocks/imports/", import_views.imports, name="imports"),
    path("blocks/imports/<int:pk>/", import_views.one_import, name="import"),
    path("blocks/imports/<int:pk>/confirm/", import_views.confirm, name="import-confirm"),
    path("blocks/imports/<int:pk>/drop/", import_views.drop, name="import-drop"),
    path("metrics", metrics.metrics),
    path("healthz", monitoring.healthz),
    path("readyz", monitoring.readyz),
    path("restored/", restored_views.overview, name="restored"),
    path("messages/<int:pk>/content/", send_out_views.message_content, name="message_content"),
    path("messages/<int:pk>/content/frame/", send_out_views.message_frame, name="message_frame"),
    path("messages/<int:pk>/again/", send_out_views.send_again, name="send_again"),
    path("send-outs/", send_out_views.send_outs, name="send_outs"),
    path("send-outs/new/", steps.new, name="send_out_new"),
    path("send-outs/master-control-group/", control_group_views.master, name="master_control"),
    path("send-outs/<int:pk>/", send_out_views.send_out, name="send_out"),
    path("send-outs/<int:pk>/comparison/", control_group_views.comparison, name="send_out_comparison"),
    path("send-outs/<int:pk>/left-out/<slug:why>/", control_group_views.left_out, name="send_out_left_out"),
    path("send-outs/<int:pk>/audience/", steps.audience, name="send_out_audience"),
    path("send-outs/<int:pk>/count/", steps.count, name="send_out_count"),
    path("send-outs/<int:pk>/content/", steps.content, name="send_out_content"),
    path("send-outs/<int:pk>/test/", send_out_views.send_test, name="send_out_test"),
    path("send-outs/<int:pk>/preview/", send_out_views.preview, name="send_out_preview"),
    path("send-outs/<int:pk>/preview/<uuid:guid>/", send_out_views.preview_frame, name="send_out_preview_frame"),
    path("send-outs/<int:pk>/control-group/", steps.setting, name="send_out_setting"),
    path("send-outs/<int:pk>/start/", steps.final, name="send_out_final"),
    path("send-outs/<int:pk>/members/<slug:outcome>/", steps.members, name="send_out_members"),
    path("send-outs/<int:pk>/messages/<slug:status>/", send_out_views.send_out_messages, name="send_out_messages"),
    path("send-outs/<int:pk>/outcome/", outcome_views.outcome, name="send_out_outcome"),
    path("send-outs/<int:pk>/messages.csv", outcome_views.export, name="send_out_export"),
    path("send-outs/<int:pk>/<slug:action>/", send_out_views.move, name="send_out_move"),
]
