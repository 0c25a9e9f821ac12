"""The driver against the lab's HMC, with everything that can fail failing.

Nova is not run here: `tests.driver.compute` calls the driver's hooks as ``nova/compute/manager.py``
(34.0.0) does, in its order and with its answers to errors.
"""

from oslo_service import backend

# As nova-compute does by default. Without it importing Nova chooses eventlet for the process, and
# tests that run Nova in the same one (`tests.nova`) would be refused theirs.
backend.init_backend(backend.BackendType.THREADING)
