"""Paging of every list in the API."""

from rest_framework.pagination import PageNumberPagination


class PageNumberPaging(PageNumberPagination):
    """`?page=` and `?page_size=` (100 unless asked, at most 500)."""

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 500
