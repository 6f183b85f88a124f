using System.Security.Claims;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Identity.Contracts;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary>The events that webhooks can be told.</summary>
internal static class WebhookEvents
{
    /// <summary>Sent on demand only.</summary>
    public const string Test = "marketplace.webhook.test.v1";

    // What is told is what the role may read anyway: spending is for consumers, broken promises are for the provider who made them.
    private static readonly (string Type, string Role)[] All = [(ConsumptionEvents.BudgetThresholdReached, Roles.Consumer), (ConsumptionEvents.SlaViolationChanged, Roles.Provider)];

    /// <summary>Those that the caller may have sent.</summary>
    public static string[] OpenTo(ClaimsPrincipal caller) => [.. All.Where(one => caller.Has(one.Role)).Select(one => one.Type)];
}
