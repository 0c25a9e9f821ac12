"""What oslo.service makes threads of has to be said before anything imports oslo.messaging."""

from oslo_service import backend

backend.init_backend(backend.BackendType.THREADING)
