// What HTML and htmx leave undone: the dialog, a few keys, copying, times that grow old, and words when a request fails.
"use strict";

(() => {
  const at = (id) => document.getElementById(id);
  let openerId = "";

  // A link that htmx loads must still open in a new tab where that is what was asked for.
  document.addEventListener("click", (event) => {
    if ((event.ctrlKey || event.metaKey || event.shiftKey) && event.target.closest("a[hx-get]")) {
      event.stopPropagation();
    }
  }, true);

  document.addEventListener("click", (event) => {
    const closer = event.target.closest("#dialog [data-closes]");
    if (closer) {
      event.preventDefault();
      at("dialog").close();
    }
    const copier = event.target.closest("[data-copies]");
    if (copier) {
      copy(at(copier.dataset.copies)).then(() => {
        copier.textContent = copier.dataset.done;
        announce(copier.dataset.done);
      });
    }
  });

  async function copy(element) {
    if (navigator.clipboard) {
      return navigator.clipboard.writeText(element.textContent);
    }
    // Over plain http there is no clipboard; selecting works everywhere.
    getSelection().selectAllChildren(element);
    document.execCommand("copy");
  }

  const announce = (said) => { at("announcer").textContent = said; };

  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, textarea, select, dialog");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      at("q")?.focus();
    }
  });

  // The dialog opens with whatever is loaded into it (once htmx has taken hold of its form), and gives the focus back
  // to who opened it.
  document.addEventListener("htmx:afterSettle", (event) => {
    const dialog = at("dialog");
    if (event.detail.target?.id !== "dialog-content" || dialog.open || !event.detail.target.childElementCount) return;
    openerId = document.activeElement?.id ?? "";
    dialog.showModal();
    dialog.scrollTop = 0;
  });

  document.addEventListener("close", (event) => {
    if (event.target.id !== "dialog") return;
    at("dialog-content").replaceChildren();
    at("dialog-trouble").textContent = "";
    // Its row may have been renewed meanwhile.
    if (openerId && document.activeElement === document.body) at(openerId)?.focus();
  }, true);

  for (const done of ["block-lifted", "labelled"]) {
    document.addEventListener(done, (event) => {
      at("dialog").close();
      at(event.detail.focus)?.focus();
    });
  }

  // Nobody looks at a hidden page, so it need not ask for news; and what somebody has opened stays as it is.
  const renewed = ".message, .pulse, .outcome";
  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.target;
    if (part.matches(renewed) && (document.hidden || part.querySelector("details[open]"))) event.preventDefault();
    say("");
  });

  // Too much to be counted as somebody fills it in: the server is told of it instead of given it.
  document.addEventListener("htmx:configRequest", (event) => {
    const sent = event.detail.formData;
    for (const field of event.target.closest("form")?.querySelectorAll("[data-most]") ?? []) {
      const size = field.files ? field.files[0]?.size ?? 0 : field.value.length;
      if (size > field.dataset.most) {
        sent.delete(field.name);
        sent.set("unsent", field.name);
      }
    }
  });

  // What somebody is in, or has opened, stays as it is until they have left it.
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const part = event.target;
    if (part.matches(".live") && (part.contains(document.activeElement) || part.querySelector("details[open]"))) {
      event.preventDefault();
    }
  });

  // Logged out meanwhile: the answer is the log-in page, which belongs in the whole window.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.responseURL.includes("/login/?next=")) {
      event.preventDefault();
      location.reload();
    }
  });

  // A form that came too late (engage/kept.py) stays as it is: the words go on top of it, and its token is good again.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig } = event.detail;
    const elt = requestConfig.elt;
    if (!xhr.getResponseHeader("X-Keeps-Form")) return;
    event.preventDefault();
    document.querySelector(".kept-form")?.remove();
    const form = elt.closest("form");
    const words = new DOMParser().parseFromString(xhr.responseText, "text/html").querySelector(".kept-form");
    for (const field of document.getElementsByName("csrfmiddlewaretoken")) field.value = words.dataset.token;
    (form ?? at("main")).prepend(words);
    if (form && elt.matches("form, button")) words.focus();
  });

  // An open dialog lies above everything else, so what is said has to stand in it.
  function say(words) {
    for (const place of [at("trouble"), at("dialog-trouble")]) place.textContent = "";
    (at("dialog").open ? at("dialog-trouble") : at("trouble")).textContent = words;
  }

  const trouble = (name) => (event) => {
    if (event.detail.xhr?.getResponseHeader?.("X-Keeps-Form")) return;
    if (!event.target.matches(renewed)) say(at("trouble").dataset[name]);
  };
  document.addEventListener("htmx:sendError", trouble("offline"));
  document.addEventListener("htmx:timeout", trouble("offline"));
  document.addEventListener("htmx:responseError", (event) => {
    trouble(event.detail.xhr.status === 403 ? "refused" : "failed")(event);
  });

  // The same words as contacts/templatetags/looks.py, for as long as they change by the hour.
  const units = [["hour", 3600], ["minute", 60]];
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" });
  function grow() {
    for (const time of document.querySelectorAll("time:has(> .ago)")) {
      const age = (Date.now() - new Date(time.dateTime)) / 1000;
      const unit = age < 86400 && units.find(([, seconds]) => age >= seconds);
      if (unit) time.querySelector(".ago").textContent = words.format(-Math.floor(age / unit[1]), unit[0]);
    }
  }
  setInterval(grow, 30000);

  const prepare = (event) => {
    for (const button of event.target.querySelectorAll?.("[data-copies]") ?? []) button.hidden = false;
  };
  document.addEventListener("htmx:load", prepare);
})();
