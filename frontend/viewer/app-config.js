// OHIF's configuration in Firstread. It is read before the application starts and holds no secrets:
// requests go to the same origin and carry the session cookie of the page around them.
window.config = {
  name: 'firstread',
  routerBasename: '/viewer',
  // A string that OHIF does not know is imported as a module; its default export is the extension.
  extensions: ['/viewer/firstread/extension.js'],
  modes: [],
  modesConfiguration: {
    '@ohif/mode-longitudinal': {
      hangingProtocol: {
        $set: [
          '@firstread/head-ct',
          '@firstread/head-ct-prior',
          '@firstread/general',
          '@firstread/general-prior',
        ],
      },
      routes: {
        0: {
          layoutInstance: {
            // The host page has its own panel beside the images: the images take the rest.
            props: { leftPanelClosed: { $set: true }, rightPanelClosed: { $set: true } },
          },
        },
      },
    },
  },
  customizationService: [{ 'ohif.tours': { $set: [] } }],
  // The page around the viewer bears the name; the toolbar keeps the room.
  whiteLabeling: { createLogoComponentFn: React => React.createElement('span') },
  showStudyList: false,
  showLoadingIndicator: true,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: false,
  showErrorDetails: 'production',
  strictZSpacingForVolumeViewport: true,
  measurementTrackingMode: 'none',
  investigationalUseDialog: { option: 'never' },
  maxNumberOfWebWorkers: 3,
  maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 10 },
  defaultDataSourceName: 'firstread',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'firstread',
      configuration: {
        friendlyName: 'Firstread archive',
        name: 'firstread',
        qidoRoot: '/dicom-web',
        wadoRoot: '/dicom-web',
        qidoSupportsIncludeField: true,
        imageRendering: 'wadors',
        thumbnailRendering: 'wadors',
        enableStudyLazyLoad: true,
        supportsFuzzyMatching: false,
        supportsWildcard: true,
        supportsStow: true,
        supportsReject: false,
        singlepart: 'bulkdata,video,pdf',
        bulkDataURI: { enabled: true, relativeResolution: 'studies' },
        omitQuotationForMultipartRequest: false,
      },
    },
  ],
  // The bridge tells the host page; a page without a host still has OHIF's own notices.
  httpErrorHandler: error => window.dispatchEvent(new CustomEvent('firstread:http-error', { detail: error })),
};
