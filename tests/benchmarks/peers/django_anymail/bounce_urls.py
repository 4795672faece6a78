"""The webhooks of django-anymail, where its documentation puts them."""

from django.urls import include, path

urlpatterns = [path("anymail/", include("anymail.urls"))]
