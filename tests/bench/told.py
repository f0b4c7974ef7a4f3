# SPDX-License-Identifier: Apache-2.0
"""How benches of the whole appliance say their numbers."""


def tell(name, value, unit):
    print(f"{name}_{unit} {value:.6g}", flush=True)
