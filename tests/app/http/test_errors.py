import pytest

from app.http.errors import (
    MAX_ECHO,
    InvalidRequest,
    NotFound,
    QueueFull,
    ServiceError,
    TooManyRequests,
    TryLater,
    Unauthorized,
    shorten,
)


def test_an_error_is_a_problem_with_its_status() -> None:
    problem = NotFound("there is no job").problem()

    assert (problem.status, problem.title, problem.detail, problem.errors) == (404, "Not Found", "there is no job", [])


def test_a_request_that_is_invalid_names_its_field_twice() -> None:
    problem = InvalidRequest("num_nodes", "at most 9").problem()

    assert problem.detail == "num_nodes: at most 9"
    assert [(field.field, field.detail) for field in problem.errors] == [("num_nodes", "at most 9")]


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (30.0, "30"), (61.01, "62")])
def test_who_is_to_try_later_is_told_a_whole_number_of_seconds_that_is_late_enough(seconds: float, header: str) -> None:
    assert QueueFull("full", retry_after=seconds).headers == {"Retry-After": header}


def test_every_error_to_try_again_after_has_a_reason_for_the_metrics() -> None:
    errors: list[TryLater] = [QueueFull("full"), TooManyRequests("many", retry_after=1, reason="quota")]

    assert [error.reason for error in errors] == ["queue_full", "quota"]


def test_headers_of_one_error_are_not_those_of_another() -> None:
    assert Unauthorized("no key").headers == {"WWW-Authenticate": "Bearer"}
    assert ServiceError("fault").headers == {}


def test_a_long_text_of_the_caller_is_repeated_in_part() -> None:
    assert shorten("x" * MAX_ECHO) == "x" * MAX_ECHO
    assert shorten("x" * (MAX_ECHO + 1)) == "x" * MAX_ECHO + "…"
