// Firstread's extension of OHIF: hanging protocols, the CSRF token, and the bridge to the page around it.

import { Bridge } from './bridge.js';
import { addCsrfToken } from './csrf.js';
import { ATTRIBUTES, PROTOCOLS } from './hanging.js';

function addTheme(document) {
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = '/viewer/firstread/theme.css';
  document.head.append(link);
}

export default {
  id: '@firstread/extension-bridge',

  preRegistration(managers) {
    const { hangingProtocolService } = managers.servicesManager.services;
    for (const [name, callback] of Object.entries(ATTRIBUTES)) {
      hangingProtocolService.addCustomAttribute(name, name, callback);
    }
    addTheme(document);
    addCsrfToken(window);
    new Bridge(managers).start();
  },

  getHangingProtocolModule() {
    return PROTOCOLS.map(protocol => ({ name: protocol.id, protocol }));
  },
};
