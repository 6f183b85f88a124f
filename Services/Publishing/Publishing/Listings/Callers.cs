using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.Publishing.Listings;

/// <summary>Who may do what: a provider with its own organisation's listings, an administrator with the status of all, an auditor reads.</summary>
internal static class Callers
{
    public static bool IsOperator(this ClaimsPrincipal caller) => caller.Has(Roles.Admin);

    public static bool Owns(this ClaimsPrincipal caller, Listing listing) => caller.Has(Roles.Provider) && caller.OrganisationId() == listing.OrganisationId;

    public static bool MaySee(this ClaimsPrincipal caller, Listing listing) => caller.Owns(listing) || caller.SeesAll();
}

/// <summary>Refusals that several operations share.</summary>
internal static class Refusals
{
    public static ProblemHttpResult NoListing { get; } = Problems.NotFound("This listing");

    public static ProblemHttpResult NoVersion { get; } = Problems.NotFound("This version");

    public static ProblemHttpResult NoRun { get; } = Problems.NotFound("This pipeline run");

    public static ProblemHttpResult NotYours { get; } = Problems.Forbidden("not_your_listing", "Only the listing's own provider may do this.");

    public static ProblemHttpResult SuspendedByOperator { get; } = Problems.Forbidden("suspended_by_operator", "An administrator suspended it: only an administrator may resume it.");

    public static ProblemHttpResult NoCredentialTaken { get; } = Problems.Conflict(
        "no_credential", "The version is not published, was rejected or retired, or its endpoint takes no credential: rewrite the draft, or draft a new version.");

    public static ProblemHttpResult IllegalTransition(string explanation) => Problems.Conflict("illegal_transition", explanation);
}
