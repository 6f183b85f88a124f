using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.ProviderNetwork;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary>What a webhook may be.</summary>
internal static class WebhookRules
{
    public const int MaxWebhooks = 20;
    private const int MaxUrlLength = 2_048;
    private const int MaxDescriptionLength = 200;

    public static IEnumerable<Issue> Events(IReadOnlyCollection<string>? events, ClaimsPrincipal caller)
    {
        var open = WebhookEvents.OpenTo(caller);
        if (events is null or { Count: 0 } || events.Except(open).Any() || events.Distinct().Count() != events.Count)
        {
            yield return new Issue("invalid_events", "/events", $"The events must be one or more of those that your roles may read, each once: {string.Join(", ", open)}.");
        }
    }

    public static IEnumerable<Issue> Description(string? description)
    {
        if (description?.Length > MaxDescriptionLength)
        {
            yield return new Issue("invalid_description", "/description", $"The description may have at most {MaxDescriptionLength} characters.");
        }
    }

    /// <summary>Holds an address to the rules for providers' addresses; it is looked at again whenever a connection is made.</summary>
    public static async Task<IReadOnlyList<Issue>> UrlAsync(string? text, ClaimsPrincipal caller, EndpointGuard guard, CancellationToken cancellationToken)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Host.Length == 0 || url.UserInfo.Length > 0 || url.Fragment.Length > 0 || text.Length > MaxUrlLength)
        {
            return [new Issue("invalid_url", "/url", $"The address must be absolute, as https://example.com/hooks, without credentials or fragment, and have at most {MaxUrlLength} characters.")];
        }

        var verdict = await guard.CheckAsync(url, caller.OrganisationSlug(), cancellationToken);
        if (verdict.Kind == EndpointKind.LocalProvider)
        {
            return [];
        }

        List<Issue> issues = [];
        if (url.Scheme != Uri.UriSchemeHttps)
        {
            issues.Add(new Issue("insecure_url", "/url", "The address must begin with https://."));
        }

        if (verdict.Kind == EndpointKind.Forbidden)
        {
            issues.Add(new Issue("forbidden_url", "/url", verdict.Reason!));
        }

        return issues;
    }
}
