using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.ApiConventions;

/// <summary>
/// Every refusal outside <c>/v1</c> is an RFC 9457 problem with a stable <c>code</c> that programs may switch on;
/// the detail is for people and may change.
/// </summary>
public static class Problems
{
    /// <summary>A problem with a stable code.</summary>
    /// <param name="status">HTTP status code.</param>
    /// <param name="code">Stable code, lower_snake_case, or UPPER_SNAKE_CASE for validation codes of the specification.</param>
    /// <param name="detail">One or two sentences: what is wrong and what to do.</param>
    /// <param name="extensions">Further members of the problem document.</param>
    public static ProblemHttpResult Of(int status, string code, string detail, params KeyValuePair<string, object?>[] extensions)
    {
        var members = new Dictionary<string, object?>(extensions) { ["code"] = code };
        return TypedResults.Problem(detail, statusCode: status, extensions: members);
    }

    /// <summary>404 <c>not_found</c>: it does not exist, or the caller may not know that it does.</summary>
    public static ProblemHttpResult NotFound(string what) => Of(StatusCodes.Status404NotFound, "not_found", $"{what} does not exist, or you may not see it.");

    /// <summary>403 with a code: who you are is known, and that is not enough.</summary>
    public static ProblemHttpResult Forbidden(string code, string detail) => Of(StatusCodes.Status403Forbidden, code, detail);

    /// <summary>409 with a code: the state of things does not allow it now.</summary>
    public static ProblemHttpResult Conflict(string code, string detail) => Of(StatusCodes.Status409Conflict, code, detail);

    /// <summary>400 <c>invalid_request</c>: what was sent cannot be taken; <paramref name="issues"/> lists every reason at once.</summary>
    public static ProblemHttpResult Invalid(params IReadOnlyCollection<Issue> issues)
    {
        ArgumentNullException.ThrowIfNull(issues);
        return Of(
            StatusCodes.Status400BadRequest,
            issues.Count == 1 ? issues.First().Code : "invalid_request",
            string.Join(" ", issues.Select(issue => issue.Message)),
            new KeyValuePair<string, object?>("issues", issues));
    }
}

/// <summary>One reason why what was sent cannot be taken.</summary>
/// <param name="Code">Stable code.</param>
/// <param name="Path">JSON Pointer (RFC 6901) to the member at fault, or empty for the whole document.</param>
/// <param name="Message">What is wrong and what would be right.</param>
public sealed record Issue(string Code, string Path, string Message);
