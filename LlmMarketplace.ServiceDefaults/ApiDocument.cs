using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace LlmMarketplace.ServiceDefaults;

/// <summary>Each service's OpenAPI 3.1 document at <c>/openapi/v1.json</c>; the gateway shows them all at <c>/docs</c>, and <c>docs/api</c> holds them for review.</summary>
internal static class ApiDocumentExtensions
{
    private const string Problem = "Problem";

    public static void AddApiDocument(this WebApplicationBuilder builder, string service) =>
        builder.Services.AddOpenApi("v1", options =>
        {
            options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
            options.ShouldInclude = description => description.RelativePath?.StartsWith("internal/", StringComparison.Ordinal) != true;
            options.AddOperationTransformer(DescribeAsync);
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
                document.Components.Schemas ??= new Dictionary<string, IOpenApiSchema>();
                document.Components.Schemas[Problem] = ProblemSchema();
                return Task.CompletedTask;
            });
        });

    public static void MapApiDocument(this WebApplication app) => app.MapOpenApi("/openapi/{documentName}.json").AllowAnonymous();

    /// <summary>Says what every operation may answer besides, and writes parameters as they are written in addresses.</summary>
    private static Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        foreach (var parameter in (operation.Parameters ?? []).OfType<OpenApiParameter>().Where(parameter => parameter.In == ParameterLocation.Query))
        {
            parameter.Name = JsonNamingPolicy.CamelCase.ConvertName(parameter.Name!);
        }

        operation.Responses ??= [];
        if (operation.Responses.Keys.All(status => status.StartsWith('2')))
        {
            operation.Responses["default"] = context.Description.RelativePath!.StartsWith("v1/", StringComparison.Ordinal)
                ? new OpenApiResponse { Description = "An error in the shape of the API that the path belongs to: OpenAI's, or Anthropic's below /v1/messages. Its code is stable." }
                : new OpenApiResponse
                {
                    Description = "A problem (RFC 9457); its `code` is stable, and `issues` names each member at fault.",
                    Content = new Dictionary<string, OpenApiMediaType> { ["application/problem+json"] = new() { Schema = new OpenApiSchemaReference(Problem, context.Document) } },
                };
        }

        return Task.CompletedTask;
    }

    private static OpenApiSchema ProblemSchema() => new()
    {
        Type = JsonSchemaType.Object,
        Description = "RFC 9457 problem details.",
        Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["type"] = new OpenApiSchema { Type = JsonSchemaType.String },
            ["title"] = new OpenApiSchema { Type = JsonSchemaType.String },
            ["status"] = new OpenApiSchema { Type = JsonSchemaType.Integer },
            ["detail"] = new OpenApiSchema { Type = JsonSchemaType.String },
            ["code"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "Stable; for programs." },
            ["traceId"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "To find it in the logs." },
            ["issues"] = new OpenApiSchema
            {
                Type = JsonSchemaType.Array,
                Description = "Every reason at once, when what was sent cannot be taken.",
                Items = new OpenApiSchema
                {
                    Type = JsonSchemaType.Object,
                    Properties = new Dictionary<string, IOpenApiSchema>
                    {
                        ["code"] = new OpenApiSchema { Type = JsonSchemaType.String },
                        ["path"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "JSON Pointer (RFC 6901); empty for the whole document." },
                        ["message"] = new OpenApiSchema { Type = JsonSchemaType.String },
                    },
                },
            },
        },
    };
}
