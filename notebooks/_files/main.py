"""What the fifth example runs: it stands in the namespace's files, and is copied into the working directory."""

import csv
from pathlib import Path
from statistics import mean

rows = list(csv.DictReader(Path("penguins.csv").open()))
masses = [float(row["body_mass_g"]) for row in rows if row["body_mass_g"] != "NA"]
print(f"{len(rows)} penguins, {mean(masses):.0f} g on average")
