// Django accepts a session's POST only with the token of its CSRF cookie. OHIF's DICOMweb client sends by
// XMLHttpRequest and knows nothing of it, so the token is added where such a request is sent.

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

export function cookieValue(cookies, name) {
  for (const part of cookies.split(';')) {
    const [key, ...rest] = part.trim().split('=');
    if (key === name) {
      return decodeURIComponent(rest.join('='));
    }
  }
  return null;
}

/** Whether a request needs the token: it changes something, and it stays on this origin. */
export function needsToken(method, url, base) {
  return !SAFE.has(method.toUpperCase()) && new URL(url, base).origin === new URL(base).origin;
}

export function addCsrfToken(view) {
  const prototype = view.XMLHttpRequest.prototype;
  const { open, send } = prototype;
  const unsafe = new WeakSet();
  prototype.open = function (method, url, ...rest) {
    if (needsToken(method, url, view.location.href)) {
      unsafe.add(this);
    } else {
      unsafe.delete(this);
    }
    return open.call(this, method, url, ...rest);
  };
  prototype.send = function (body) {
    const token = unsafe.has(this) ? cookieValue(view.document.cookie, 'csrftoken') : null;
    if (token) {
      this.setRequestHeader('X-CSRFToken', token);
    }
    return send.call(this, body);
  };
}
