using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace LlmMarketplace.ServiceDefaults;

/// <summary>Each service's OpenAPI 3.1 document at <c>/openapi/v1.json</c>; the gateway shows them all at <c>/docs</c>, and <c>docs/api</c> holds them for review.</summary>
internal static class ApiDocumentExtensions
{
    public static void AddApiDocument(this WebApplicationBuilder builder, string service) =>
        builder.Services.AddOpenApi("v1", options =>
        {
            options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
            options.ShouldInclude = description => description.RelativePath?.StartsWith("internal/", StringComparison.Ordinal) != true;
            options.AddDocumentTransformer((document, _, _) =>
            {
                document.Info = new OpenApiInfo { Title = $"LlmMarketplace {service}", Version = "v1" };
                document.Servers = []; // The same document wherever it runs: addresses are the reader's.
                document.Components ??= new OpenApiComponents();
                document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
                document.Components.SecuritySchemes["bearer"] = new OpenApiSecurityScheme
                {
                    Type = SecuritySchemeType.Http,
                    Scheme = "bearer",
                    Description = "An access token of /connect/token, or an API key (llm_mk_…) where a route takes keys.",
                };
                document.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference("bearer", document)] = [] }];
                return Task.CompletedTask;
            });
        });

    public static void MapApiDocument(this WebApplication app) => app.MapOpenApi("/openapi/{documentName}.json").AllowAnonymous();
}
