// The page /docs: Swagger UI, which reads /openapi.json.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  showExtensions: true,
  showCommonExtensions: true,
  validatorUrl: null, // or it would send the address of this service to another host
});
