using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace LlmMarketplace.ServiceDefaults;

/// <summary>Each service's OpenAPI 3.1 document at <c>/openapi/v1.json</c>; the gateway shows them all at <c>/docs</c>, and <c>docs/api</c> holds them for review.</summary>
internal static class ApiDocumentExtensions
{
    private const string Problem = "Problem";
    private const string ProblemType = "application/problem+json";
    private const string Token = "token";
    private const string ApiKey = "apiKey";

    private const string Conventions =
        "Members are camelCase, times are UTC (RFC 3339), amounts of money are exact decimal numbers. Lists come in pages: pass `nextCursor` as `cursor` until it is null. " +
        "Every answer carries `x-request-id`; a refusal has a `code` that does not change.";

    private static readonly Dictionary<string, string> Refusals = new()
    {
        ["400"] = "What was sent cannot be taken; `issues` names each member at fault.",
        ["401"] = "The credential is missing, expired or not known.",
        ["403"] = "Your roles or your organisation do not allow it.",
        ["404"] = "It does not exist, or you may not see it.",
        ["409"] = "The state of things does not allow it now; `code` says why.",
        ["412"] = "It has changed since: `If-Match` names another version.",
    };

    private static readonly Dictionary<string, string> Parameters = new()
    {
        ["limit"] = string.Create(CultureInfo.InvariantCulture, $"Items on a page, 1 to {Paging.MaxLimit}; {Paging.DefaultLimit} unless given."),
        ["cursor"] = "`nextCursor` of the page before; none for the first page.",
        ["id"] = "Its id.",
        ["organisationId"] = "The organisation's id.",
        ["version"] = "Its number, as SemVer 2.0 has it.",
        ["provider"] = "The provider's slug.",
        ["service"] = "The service's name.",
    };

    public static void AddApiDocument(this WebApplicationBuilder builder, string service) =>
        builder.Services.AddOpenApi("v1", options =>
        {
            options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
            options.ShouldInclude = description => description.RelativePath?.StartsWith("internal/", StringComparison.Ordinal) != true;
            options.CreateSchemaReferenceId = SchemaId;
            options.AddSchemaTransformer(ApiDescriptions.DescribeAsync);
            options.AddOperationTransformer(DescribeAsync);
            options.AddDocumentTransformer((document, _, _) =>
            {
                document.Info = new OpenApiInfo { Title = $"LlmMarketplace {service}", Version = "v1", Description = Conventions };
                document.Servers = []; // The same document wherever it runs: addresses are the reader's.
                document.Components ??= new OpenApiComponents();
                document.Components.Schemas ??= new Dictionary<string, IOpenApiSchema>();
                document.Components.Schemas.Remove("ProblemDetails");
                document.Components.Schemas[Problem] = ProblemSchema();
                OptionalMembers.Apply(document);
                document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
                {
                    [Token] = TokenScheme(),
                    [ApiKey] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "An API key (`llm_mk_…`) of `POST /api/v1/keys`." },
                };
                return Task.CompletedTask;
            });
        });

    public static void MapApiDocument(this WebApplication app) => app.MapOpenApi("/openapi/{documentName}.json").AllowAnonymous();

    /// <summary>Says who may do an operation and what it may answer besides, and writes names as they are written in addresses.</summary>
    private static async Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        operation.OperationId = operation.OperationId is { } id ? JsonNamingPolicy.CamelCase.ConvertName(id) : null;
        foreach (var parameter in (operation.Parameters ?? []).OfType<OpenApiParameter>())
        {
            if (parameter.In == ParameterLocation.Query)
            {
                parameter.Name = JsonNamingPolicy.CamelCase.ConvertName(parameter.Name!);
            }

            parameter.Description ??= Parameters.GetValueOrDefault(parameter.Name!);
        }

        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        string[] schemes = metadata.OfType<TakesApiKey>().LastOrDefault() switch
        {
            { OrToken: true } => [Token, ApiKey],
            { OrToken: false } => [ApiKey],
            null => metadata.OfType<IAllowAnonymous>().Any() ? [] : [Token],
        };
        operation.Security = [.. schemes.Select(scheme => new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(scheme, context.Document)] = [] })];
        operation.Responses = Responses(operation.Responses ?? [], schemes, context);
        foreach (var header in metadata.OfType<DocumentedHeader>())
        {
            operation.Parameters ??= [];
            operation.Parameters.Add(new OpenApiParameter
            {
                Name = header.Name,
                In = ParameterLocation.Header,
                Description = header.Description,
                Schema = new OpenApiSchema { Type = JsonSchemaType.String, MinLength = 1, MaxLength = header.MaxLength },
            });
        }

        if (metadata.OfType<DocumentedBody>().LastOrDefault() is { } body)
        {
            var schema = await context.GetOrCreateSchemaAsync(body.Type, cancellationToken: cancellationToken);
            context.Document!.AddComponent(body.Type.Name, schema);
            operation.RequestBody = new OpenApiRequestBody
            {
                Required = true,
                Content = new Dictionary<string, OpenApiMediaType> { [body.MediaType] = new() { Schema = new OpenApiSchemaReference(body.Type.Name, context.Document) } },
            };
        }
    }

    private static OpenApiResponses Responses(OpenApiResponses declared, string[] schemes, OpenApiOperationTransformerContext context)
    {
        var responses = new OpenApiResponses();
        if (context.Description.RelativePath!.StartsWith("v1/", StringComparison.Ordinal))
        {
            declared["default"] = new OpenApiResponse { Description = "An error in the shape of the API that the path belongs to: OpenAI's, or Anthropic's below /v1/messages. Its code is stable." };
        }
        else
        {
            var refused = declared.Keys.Where(status => status.StartsWith('4')).Append("default");
            foreach (var status in schemes.Contains(Token) ? refused.Append("401").Append("403").ToArray() : [.. refused])
            {
                declared[status] = new OpenApiResponse
                {
                    Description = Refusals.GetValueOrDefault(status) ?? "A problem (RFC 9457); its `code` is stable, and `issues` names each member at fault.",
                    Content = new Dictionary<string, OpenApiMediaType> { [ProblemType] = new() { Schema = new OpenApiSchemaReference(Problem, context.Document) } },
                };
            }
        }

        foreach (var (status, response) in declared.OrderBy(one => one.Key, StringComparer.Ordinal))
        {
            responses[status] = response;
        }

        return responses;
    }

    /// <summary>
    /// A nested type is named after the operation that it belongs to: <c>GetUsage.Response</c> is <c>GetUsageResponse</c>. The generator's own names leave the operation
    /// out, and of two types with one name it shows the first for both.
    /// </summary>
    public static string? SchemaId(JsonTypeInfo type)
    {
        return type.Type == typeof(JsonElement) || OpenApiOptions.CreateDefaultSchemaReferenceId(type) is null ? null : Name(Nullable.GetUnderlyingType(type.Type) ?? type.Type);

        static string Name(Type type)
        {
            var own = type.IsGenericType ? $"{type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)]}Of{string.Concat(type.GetGenericArguments().Select(Name))}" : type.Name;
            return type.DeclaringType is { } operation ? operation.Name + own : own;
        }
    }

    private static OpenApiSecurityScheme TokenScheme()
    {
        var scopes = new Dictionary<string, string> { ["marketplace"] = "All that your roles allow." };
        var token = new Uri("/connect/token", UriKind.Relative);
        return new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.OAuth2,
            Description = "An access token for one organisation; it lives 10 minutes.",
            Flows = new OpenApiOAuthFlows
            {
                ClientCredentials = new OpenApiOAuthFlow { TokenUrl = token, Scopes = scopes },
                AuthorizationCode = new OpenApiOAuthFlow { AuthorizationUrl = new Uri("/connect/authorize", UriKind.Relative), TokenUrl = token, RefreshUrl = token, Scopes = scopes },
            },
        };
    }

    private static OpenApiSchema ProblemSchema() => new()
    {
        Type = JsonSchemaType.Object,
        Description = "RFC 9457 problem details.",
        Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["type"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "Address of what the status means." },
            ["title"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "What the status means." },
            ["status"] = new OpenApiSchema { Type = JsonSchemaType.Integer, Description = "The HTTP status code." },
            ["detail"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "What is wrong and what to do; for people." },
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
                        ["code"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "Stable; for programs." },
                        ["path"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "JSON Pointer (RFC 6901); empty for the whole document." },
                        ["message"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "What is wrong and what would be right." },
                    },
                },
            },
        },
    };
}
