// Begins Swagger UI. A change that the session of the console is to make needs its token in a header.
async function withToken(request) {
  const own = new URL(request.url, window.location.href).origin === window.location.origin;
  const looks = ['GET', 'HEAD'].includes((request.method || 'GET').toUpperCase());
  const given = Object.keys(request.headers || {}).some((name) => name.toLowerCase() === 'authorization');
  if (!own || looks || given) return request;
  const session = await (await fetch('/api/v1/session')).json();
  if (session.csrf) request.headers['X-SafeKit-CSRF'] = session.csrf;
  return request;
}

window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: '/api/v1/openapi.json',
    dom_id: '#swagger-ui',
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    plugins: [SwaggerUIBundle.plugins.DownloadUrl],
    layout: 'StandaloneLayout',
    requestInterceptor: withToken,
  });
};
