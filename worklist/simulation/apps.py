from django.apps import AppConfig


class SimulationConfig(AppConfig):
    name = "worklist.simulation"
    label = "simulation"
    verbose_name = "Simulation"
