"""A newsletter as shops send them, personalised in subject, greeting and end; links and pixel are noticed."""

from typing import Final

SUBJECT: Final = "[[firstName,Hello]], the autumn things are here"
_GOODS: Final = [
    ("Wool blanket", "Woven in Gotland, of undyed wool. 130 × 180 cm, washes at 30 °C."),
    ("Tea pot", "Of cast iron, with a sieve. Holds eight decilitres, and keeps them warm for an hour."),
    ("Reading lamp", "Its arm reaches 80 cm. The bulb is included, and lasts for ten years of evenings."),
    ("Rain coat", "Recycled polyester, welded seams. A hood that stays where it is in the wind."),
]
HTML: Final = (
    "<!doctype html><html><head><title>Autumn</title></head><body>\n"
    "<h1>Good morning, [[firstName,dear customer]]!</h1>\n<p>The days get shorter; here is what makes them warmer.</p>\n"
    + "".join(
        f'<table><tr><td><img src="https://shop.example/{n}.jpg" alt="{name}" width="280"></td>'
        f'<td><h2>{name}</h2><p>{said}</p><p><a href="https://shop.example/autumn/{n}">To the shop</a></p></td></tr>'
        "</table>\n"
        for n, (name, said) in enumerate(_GOODS)
    )
    + '<p>This went to [[email]]. <a href="[[unsubscribeUrl]]">Unsubscribe</a></p>\n</body></html>\n'
)
TEXT: Final = (
    "Good morning, [[firstName,dear customer]]!\n\nThe days get shorter; here is what makes them warmer.\n\n"
    + "".join(f"{name}\n{said}\nhttps://shop.example/autumn/{n}\n\n" for n, (name, said) in enumerate(_GOODS))
    + "This went to [[email]].\nUnsubscribe: [[unsubscribeUrl]]\n"
)
