using System.Collections.Frozen;

namespace LlmMarketplace.Identity.Contracts;

/// <summary>The roles that a membership can carry, and the one of services. The values stand in the token claim <c>role</c>.</summary>
public static class Roles
{
    /// <summary>Runs the marketplace: organisations, users, suspension. Held only in the operator's organisation.</summary>
    public const string Admin = "admin";

    /// <summary>Decides approvals. Held only in the operator's organisation.</summary>
    public const string Approver = "approver";

    /// <summary>Reads everything, changes nothing. Held only in the operator's organisation.</summary>
    public const string Auditor = "auditor";

    /// <summary>Publishes listings for its organisation.</summary>
    public const string Provider = "provider";

    /// <summary>Holds keys and calls services for its organisation.</summary>
    public const string Consumer = "consumer";

    /// <summary>A service of the marketplace itself; never a person, never granted.</summary>
    public const string Service = "service";

    /// <summary>Roles that act on the whole marketplace.</summary>
    public static FrozenSet<string> OfOperator { get; } = FrozenSet.Create(Admin, Approver, Auditor);

    /// <summary>Roles that act within one organisation.</summary>
    public static FrozenSet<string> OfOrganisation { get; } = FrozenSet.Create(Provider, Consumer);
}
