"""The driver against the lab's HMC, with everything that can fail failing.

Nova is not run here: `tests.driver.compute` calls the driver's hooks as ``nova/compute/manager.py``
(34.0.0) does, in its order and with its answers to errors.
"""
