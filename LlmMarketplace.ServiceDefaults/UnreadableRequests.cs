using System.Text.Json;
using System.Text.RegularExpressions;
using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.ServiceDefaults;

/// <summary>
/// A request that the framework cannot bind: a body that is no JSON, a member that is of another type or that nobody knows, a parameter that cannot be read. The framework throws only if it is told to,
/// and answers nothing but the status if not; here the problem says which member it is and what would be right.
/// </summary>
internal static class UnreadableRequestsExtensions
{
    public static void AddUnreadableRequests(this WebApplicationBuilder builder)
    {
        builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        builder.Services.AddExceptionHandler<UnreadableRequests>();
    }
}

/// <inheritdoc cref="UnreadableRequestsExtensions"/>
internal sealed partial class UnreadableRequests(IProblemDetailsService problems, IOptions<Microsoft.AspNetCore.Http.Json.JsonOptions> json) : IExceptionHandler
{
    private const string Code = "invalid_request";
    private const string NoBody = "Implicit body inferred for parameter";

    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (exception is not BadHttpRequestException unreadable)
        {
            return false;
        }

        httpContext.Response.StatusCode = unreadable.StatusCode;
        var issue = Explain(unreadable, httpContext);
        var problem = new ProblemDetails { Status = unreadable.StatusCode, Detail = issue.Message };
        if (unreadable.StatusCode == StatusCodes.Status400BadRequest)
        {
            problem.Extensions["issues"] = new[] { issue };
        }

        await problems.TryWriteAsync(new ProblemDetailsContext { HttpContext = httpContext, ProblemDetails = problem });
        return true;
    }

    private Issue Explain(BadHttpRequestException unreadable, HttpContext http)
    {
        if (unreadable.InnerException is JsonException broken)
        {
            var body = http.Features.Get<IExceptionHandlerFeature>()?.Endpoint?.Metadata.GetMetadata<IAcceptsMetadata>()?.RequestType;
            return OfBody(broken, body is null ? null : new JsonShape(body, json.Value.SerializerOptions));
        }

        // The framework tells what it could not bind only in words.
        if (NotBound().Match(unreadable.Message) is { Success: true } parameter)
        {
            var name = Name(parameter);
            return new Issue(Code, "/" + name, $"`{name}` cannot be `{parameter.Groups["value"].Value}`: it must be {JsonShape.OfClrName(parameter.Groups["type"].Value)}.");
        }

        if (NotGiven().Match(unreadable.Message) is { Success: true } missing)
        {
            return new Issue(Code, "/" + Name(missing), $"`{Name(missing)}` is missing.");
        }

        return new Issue(Code, "", unreadable.Message.StartsWith(NoBody, StringComparison.Ordinal) ? "The body is missing: send a JSON object." : unreadable.Message);
    }

    private static string Name(Match parameter) => JsonNamingPolicy.CamelCase.ConvertName(parameter.Groups["name"].Value); // As the API's document writes it.

    private static Issue OfBody(JsonException broken, JsonShape? shape)
    {
        if (broken.InnerException is JsonException syntax)
        {
            return new Issue(Code, "", $"The body is not JSON: {syntax.Message}");
        }

        if (Unknown().Match(broken.Message) is { Success: true } unknown)
        {
            var (name, parent) = (unknown.Groups["name"].Value, JsonShape.Segments(broken.Path));
            parent = parent.LastOrDefault() == name ? parent[..^1] : parent;
            var known = shape?.At(parent)?.Members ?? [];
            return new Issue(Code, JsonShape.Pointer([.. parent, name]), $"`{name}` is no member of this{(known.Count == 0 ? "." : $": {string.Join(", ", known)} are.")}");
        }

        var at = JsonShape.Segments(broken.Path);
        if (Twice().Match(broken.Message) is { Success: true } twice)
        {
            return new Issue(Code, JsonShape.Pointer(at), $"`{twice.Groups["name"].Value}` is given twice.");
        }

        var subject = at.Length == 0 ? "The body" : $"`{string.Join('.', at)}`";
        return new Issue(Code, JsonShape.Pointer(at), shape?.At(at) is { } expected ? $"{subject} must be {expected.Expected}." : $"{subject} is not of the type that it must be.");
    }

    [GeneratedRegex("""^Failed to bind parameter "(?<type>.+) (?<name>\w+)" from "(?<value>.*)"\.$""", RegexOptions.Singleline)]
    private static partial Regex NotBound();

    [GeneratedRegex("""^Required parameter "(?<type>.+) (?<name>\w+)" was not provided from (?<source>.+)\.$""")]
    private static partial Regex NotGiven();

    [GeneratedRegex("""^The JSON property '(?<name>.+)' could not be mapped to any""", RegexOptions.Singleline)]
    private static partial Regex Unknown();

    [GeneratedRegex("""^Duplicate property '(?<name>.+)' encountered""", RegexOptions.Singleline)]
    private static partial Regex Twice();
}
