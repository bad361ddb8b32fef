"""Words from which the fictional clients, people and sampling points are made, and which matrix is tested for what."""

from __future__ import annotations

CITIES: dict[str, tuple[str, ...]] = {
    "Ireland": ("Dublin", "Cork", "Galway", "Limerick", "Waterford"),
    "United Kingdom": ("London", "Leeds", "Bristol", "Glasgow", "Belfast", "Cardiff"),
    "Netherlands": ("Rotterdam", "Utrecht", "Groningen"),
    "Germany": ("Hamburg", "Leipzig", "Bremen", "Munich"),
    "France": ("Lyon", "Nantes", "Lille"),
    "Spain": ("Valencia", "Seville", "Bilbao"),
    "Denmark": ("Aarhus", "Odense"),
    "Portugal": ("Porto", "Braga"),
}
"""Country to cities."""

CLIENT_FIRST = (
    "Alder", "Amber", "Ashgrove", "Beacon", "Birchwood", "Blackthorn", "Bluebell", "Bramble", "Brightwater",
    "Brookside", "Castlemere", "Cedar", "Clearbrook", "Clover", "Copperfield", "Coral", "Crestview", "Daybreak",
    "Eastgate", "Elmhurst", "Fairhaven", "Fernhill", "Foxglove", "Glenmore", "Golden Vale", "Greenfield", "Harbour",
    "Hawthorn", "Hazelwood", "Heather", "Highfield", "Ivybridge", "Juniper", "Kestrel", "Kingsmead", "Lakeview",
    "Larkspur", "Lavender", "Lindenhall", "Maple", "Marigold", "Meadowlands", "Millstream", "Moorland",
    "Northfield", "Oakridge", "Orchard", "Peregrine", "Pinecrest", "Quayside", "Redwood", "Riverbend", "Rosewood",
    "Saltmarsh", "Silverstream", "Stonebridge", "Summerhill", "Sycamore", "Thornbury", "Valley", "Westport",
    "Willow", "Windmill", "Yarrow",
)  # fmt: skip
"""First words of client names."""

CLIENT_LAST: dict[str, tuple[str, ...]] = {
    "Food Manufacturer": ("Foods", "Dairies", "Creamery", "Bakery", "Meats", "Kitchens", "Provisions"),
    "Water Utility": ("Water", "Water Services", "Waterworks", "Water Company"),
    "Local Authority": ("County Council", "City Council", "District Council", "Borough Council"),
    "Hospitality": ("Hotel", "Hotels Group", "Leisure", "Spa Resort", "Restaurants"),
    "Environmental Agency": ("Environment Agency", "Rivers Authority", "Coastal Trust", "Catchment Board"),
    "Retailer": ("Supermarkets", "Stores", "Grocers", "Market", "Delicatessen"),
}
"""Client type to last words of client names."""

FIRST_NAMES = (
    "Aisling", "Amara", "Anders", "Beatriz", "Bram", "Carmen", "Ciara", "Dmitri", "Eilidh", "Elif", "Emeka", "Fatima",
    "Femke", "Gareth", "Greta", "Hana", "Hugo", "Imogen", "Ines", "Jonas", "Kavya", "Lars", "Leila", "Luca", "Maeve",
    "Marek", "Mei", "Nadia", "Niamh", "Omar", "Orla", "Pavel", "Priya", "Quentin", "Rahul", "Rosa", "Sana", "Sean",
    "Sigrid", "Tariq", "Teresa", "Tomas", "Ursula", "Viktor", "Wanda", "Yusuf", "Zofia",
)  # fmt: skip
"""First names of analysts."""

LAST_NAMES = (
    "Adeyemi", "Almeida", "Baker", "Bergstrom", "Byrne", "Castillo", "Chandra", "Costa", "de Vries", "Doyle", "Eriksen",
    "Fischer", "Fontaine", "Gallagher", "Gupta", "Haddad", "Hughes", "Ivanova", "Jansen", "Kaya", "Kelly", "Kowalski",
    "Lindqvist", "Marsh", "Moreau", "Murphy", "Nakamura", "Novak", "O'Brien", "O'Connor", "Okafor", "Osei", "Petersen",
    "Quinn", "Ramos", "Reid", "Rossi", "Santos", "Schmidt", "Silva", "Tanaka", "Thomsen", "Urban", "Vance", "Walsh",
    "Weber", "Young", "Zhang",
)  # fmt: skip
"""Last names of analysts."""

JOB_TITLES = ("Laboratory Technician", "Analyst", "Senior Analyst", "Principal Analyst", "Laboratory Manager")
"""Job titles of the testing departments, from junior to senior."""

RECEPTION_TITLES = ("Sample Coordinator", "Reception Supervisor")
"""Job titles of Sample Reception."""

MATRICES = (
    "Drinking Water", "Surface Water", "Ground Water", "Waste Water", "Bathing Water", "Raw Milk", "Ready-to-Eat Food",
    "Raw Meat", "Environmental Swab",
)  # fmt: skip
"""The matrices, in the order of the CHECK list."""

CLIENT_TYPES = tuple(CLIENT_LAST)
"""The client types, in the order of the CHECK list."""

MATRIX_MIX: dict[str, tuple[float, ...]] = {
    "Food Manufacturer": (4, 0, 0, 3, 0, 14, 20, 14, 16),
    "Water Utility": (34, 10, 12, 10, 0, 0, 0, 0, 0),
    "Local Authority": (18, 3, 1, 2, 12, 1, 14, 3, 2),
    "Hospitality": (20, 0, 0, 0, 3, 0, 18, 1, 8),
    "Environmental Agency": (0, 22, 14, 14, 14, 0, 0, 0, 0),
    "Retailer": (2, 0, 0, 0, 0, 4, 26, 12, 9),
}
"""Client type to the weight of each matrix."""

SAMPLING_POINTS: dict[str, tuple[str, ...]] = {
    "Drinking Water": ("Kitchen Tap", "Reservoir Outlet", "Treatment Works Outlet", "Cold Water Tank", "Consumer Tap",
                       "Hot Water Return", "Pumping Station"),
    "Surface Water": ("River Intake", "Upstream Weir", "Lake Jetty", "Downstream Bridge"),
    "Ground Water": ("Borehole 1", "Borehole 2", "Borehole 3", "Spring Box"),
    "Waste Water": ("Final Effluent", "Inlet Works", "Settlement Tank"),
    "Bathing Water": ("North Beach", "South Beach", "Swimming Pool", "Spa Pool"),
    "Raw Milk": ("Bulk Tank", "Tanker", "Silo 1", "Silo 2"),
    "Ready-to-Eat Food": ("Production Line 1", "Production Line 2", "Deli Counter", "Finished Goods",
                          "Shelf-life Store"),
    "Raw Meat": ("Cutting Room", "Chill Store", "Goods In"),
    "Environmental Swab": ("Floor Drain", "Slicer Blade", "Conveyor Belt", "Work Surface", "Door Handle"),
}  # fmt: skip
"""Matrix to its sampling points."""

WATER_CHEMISTRY: dict[str, float] = {
    "Nitrate": 6, "Nitrite": 4, "Chloride": 4, "Sulphate": 3, "Fluoride": 3, "Phosphate": 3, "Ammonium": 6, "Iron": 5,
    "Manganese": 5, "Aluminium": 4, "Lead": 5, "Copper": 4, "Arsenic": 3, "Cadmium": 2, "Chromium": 2, "Nickel": 3,
    "Mercury": 1, "Selenium": 1, "Antimony": 1, "Boron": 1, "Uranium": 0.6, "Sodium": 3, "pH": 8, "Turbidity": 7,
    "Conductivity": 7, "Colour": 4,
}  # fmt: skip
"""Chemistry and physics that any water is tested for: name to weight."""

FOOD_MICROBIOLOGY: dict[str, float] = {
    "E. coli": 8, "Listeria monocytogenes": 10, "Salmonella spp.": 9, "Campylobacter spp.": 2,
    "Staphylococcus aureus": 6, "Aerobic Colony Count 30C": 9, "Enterobacteriaceae": 8,
    "Bacillus cereus": 4, "Yeasts and Moulds": 4,
}  # fmt: skip
"""What any food is tested for: name to weight."""

TESTED_FOR: dict[str, dict[str, float]] = {
    "Drinking Water": WATER_CHEMISTRY | {
        "E. coli": 24, "Coliforms": 24, "Enterococci": 14, "Clostridium perfringens": 7, "Pseudomonas aeruginosa": 4,
        "Legionella pneumophila": 6, "Legionella spp.": 5, "Total Viable Count 22C": 12, "Total Viable Count 37C": 12,
        "Free Chlorine": 8, "Total Chlorine": 6},
    "Surface Water": WATER_CHEMISTRY | {"E. coli": 14, "Coliforms": 10, "Enterococci": 10},
    "Ground Water": WATER_CHEMISTRY | {"E. coli": 12, "Coliforms": 12, "Clostridium perfringens": 6},
    "Waste Water": WATER_CHEMISTRY | {"E. coli": 5, "Ammonium": 18, "Phosphate": 14, "Nitrate": 12},
    "Bathing Water": {"E. coli": 20, "Enterococci": 20, "pH": 8, "Turbidity": 5, "Free Chlorine": 5,
                      "Pseudomonas aeruginosa": 6, "Legionella pneumophila": 3},
    "Raw Milk": FOOD_MICROBIOLOGY | {"Aerobic Colony Count 30C": 16, "Staphylococcus aureus": 10, "Bacillus cereus": 1},
    "Ready-to-Eat Food": FOOD_MICROBIOLOGY | {"Listeria monocytogenes": 16, "Coliforms": 2},
    "Raw Meat": FOOD_MICROBIOLOGY | {"Salmonella spp.": 16, "Campylobacter spp.": 10, "Yeasts and Moulds": 0.5},
    "Environmental Swab": {"Listeria monocytogenes": 20, "Salmonella spp.": 8, "Enterobacteriaceae": 12,
                           "Aerobic Colony Count 30C": 12, "Staphylococcus aureus": 5, "E. coli": 4},
}  # fmt: skip
"""Matrix to what it is tested for: name to weight."""

TYPICAL: dict[str, float] = {
    "Legionella spp.": 60, "Yeasts and Moulds": 180, "Phosphate": 0.8, "Total Chlorine": 0.5, "Colour": 6,
}  # fmt: skip
"""Median of the determinands that have no limit, in their unit."""
