"""What a request gives, read before it is queued: RDKit and networkx know whether there can be such a graph."""

from app.http.errors import InvalidRequest
from app.schemas import GenerateRequest
from models.card.card import ModelCard


def possible_sizes(request: GenerateRequest, card: ModelCard) -> range:
    """How many nodes graphs can have with what is given.

    Raises:
        InvalidRequest: if no graph of the model can have it.
    """
    from models.given.partial import GivenError  # with RDKit, which the API imports only when it is asked for
    from models.given.read import read_conditions

    try:
        return read_conditions(request.given, request.near, card).sizes
    except GivenError as error:
        raise InvalidRequest(error.field, str(error)) from None
