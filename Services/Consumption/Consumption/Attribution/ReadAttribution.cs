using LlmMarketplace.Consumption.Calls;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Attribution;

/// <summary>For whom a call is made, and under which tags; the caller's word, kept with the call's record.</summary>
/// <param name="EndUser">Null when the caller does not say.</param>
/// <param name="Tags">By name.</param>
internal sealed record CallAttribution(string? EndUser, IReadOnlyDictionary<string, string> Tags);

/// <summary>
/// Reads the end user from the header <c>x-marketplace-user</c>, or else from the protocol's own field, and tags from the header <c>x-marketplace-tags</c>. The body's <c>metadata</c> is the
/// provider's, which may store or refuse it: it gives no tags and passes as it is.
/// </summary>
internal static class ReadAttribution
{
    private const string UserHeader = "x-marketplace-user";
    private const string TagsHeader = "x-marketplace-tags";
    private static readonly CallAttribution Nobody = new(null, Tags.None);

    public static (CallAttribution Attribution, CallRefusal? Refusal) Read(HttpRequest request, (string? Id, string Field) fromBody)
    {
        var given = request.Headers[UserHeader];
        if (given.Count > 1)
        {
            return Refuse("The header is given twice.", UserHeader);
        }

        var (user, field) = given.ToString() is { Length: > 0 } named ? (named, UserHeader) : fromBody;
        if (user is { Length: > 0 } && EndUserId.Problem(user) is { } wrong)
        {
            return Refuse(wrong, field);
        }

        var tags = Tags.None;
        if (request.Headers[TagsHeader] is { Count: > 0 } listed && Tags.TryParse(listed.ToString(), out tags) is { } problem)
        {
            return Refuse(problem, TagsHeader);
        }

        return (string.IsNullOrEmpty(user) && tags.Count == 0 ? Nobody : new CallAttribution(string.IsNullOrEmpty(user) ? null : user, tags), null);
    }

    private static (CallAttribution, CallRefusal?) Refuse(string detail, string param) => (Nobody, new CallRefusal(CallFailure.InvalidField, detail, param));
}
