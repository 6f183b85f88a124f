using System.Security.Cryptography;
using LlmMarketplace.Consumption.Catalogue;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Pricing;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Finds what is called and the most that it can use and cost. Input: no tokenizer makes more tokens than there are bytes in the body (framing of messages is
/// shorter than their JSON), and no model takes more than its context window; with images or audio among it only the window bounds. Output: what the caller
/// allows, else the listing's cap, which then is asked of the provider too, for each of the answers wanted.
/// </summary>
internal sealed class PlanCall(Catalogue.Catalogue catalogue, ProviderSecretProtector protector, IOptions<CallOptions> options)
{
    // Reservations stay exact in Redis's doubles; nothing that costs this much is ever admitted.
    private const long MaxReservedNanos = 9_000_000_000_000_000;
    private const long MediaTokens = 128_000;

    public (CallPlan? Plan, CallRefusal? Refusal) Plan(Call call)
    {
        var request = call.Request!;
        if (!ModelName.TryParse(request.Model, out var name))
        {
            return NotFound(request.Model);
        }

        var (version, verdict) = Resolve.Version(catalogue.Current, call.Organisation!, call.Key!.Scopes, name);
        if (version is null)
        {
            return verdict switch
            {
                ResolutionVerdict.Suspended => Refuse(CallFailure.ServiceSuspended, $"The service `{name}` is suspended."),
                ResolutionVerdict.Retired => Refuse(CallFailure.ModelRetired, $"The model `{name}` is retired."),
                ResolutionVerdict.OutOfScope => Refuse(CallFailure.OutOfScope, $"This API key's scopes leave `{name.Listing}` out."),
                _ => NotFound(request.Model),
            };
        }

        var specification = version.Specification;
        if (Unsupported(call.Surface, specification) is { } reason)
        {
            return Refuse(CallFailure.UnsupportedOperation, $"`{name.Listing}` {reason}");
        }

        var price = call.Surface.IsFree ? Price.Nothing(specification.Pricing.Currency) : Price.For(specification.Pricing, call.Organisation!.TierName);
        if (price is null)
        {
            return Refuse(CallFailure.NotForSale, $"`{name.Listing}` has no price for the tier `{call.Organisation!.TierName}`.");
        }

        if (Unpriced(request, price) is { } unpriced)
        {
            return (null, new CallRefusal(CallFailure.NotPriced, $"`{name.Listing}` has no price for {unpriced.What}.", unpriced.Param));
        }

        var input = call.Surface.IsFree ? 0 : InputBound(call.Body!.Bytes.Length, request, specification.Model);
        var (output, cap) = OutputBound(call.Surface, request, specification);
        var nanos = Math.Min(Price.Nanos(price.UpperBound(input, output, ImageBound(call.Surface, request), SearchBound(request))), MaxReservedNanos);
        try
        {
            var credential = specification.Endpoint.Authentication == EndpointAuthentication.None ? null : version.Credential(protector);
            return (new CallPlan(version, price, credential, cap, input, output, nanos), null);
        }
        catch (CryptographicException)
        {
            return (null, new CallRefusal(CallFailure.ProviderMisconfigured, "The provider's credential cannot be decrypted here."));
        }
    }

    public static Reservation Reservation(Call call, Guid instance, Budgets.Budget? organisationBudget) => new(
        call.Id,
        instance,
        call.Organisation!.Id,
        Account.OfOrganisation(TierLimits.Of(call.Organisation.Tier), organisationBudget),
        Account.OfKey(call.Key!.Id, call.Key.Budget),
        call.Plan!.ReservedTokens,
        call.Plan.ReservedNanos);

    private static string? Unsupported(Surface surface, ServiceSpecification specification)
    {
        if (specification.Endpoint.Authentication == EndpointAuthentication.OAuth2)
        {
            return "wants OAuth 2.0 from the marketplace, which is not supported yet.";
        }

        var served = ServiceSurfaces.Of(specification);
        if (served.Contains(surface.Name))
        {
            return null;
        }

        var callable = Surface.All.Where(other => served.Contains(other.Name)).Select(other => $"/v1/{other.Path}").ToArray();
        return callable.Length == 0
            ? "is not called through /v1: its protocol cannot be metered there yet."
            : $"is not called through /v1/{surface.Path}, but through {string.Join(", ", callable)}.";
    }

    private static (string What, string Param)? Unpriced(CallRequest request, Price price) =>
        request.HasAudio && price is { AudioInput: null, Input: > 0 } ? ("audio", "modalities")
        : request.SearchesWeb && price.WebSearch is null ? ("searches of the web", "tools")
        : null;

    private static long ImageBound(Surface surface, CallRequest request) => surface == Surface.ImageGenerations ? request.Choices : 0;

    private long SearchBound(CallRequest request) => request.SearchesWeb ? request.MaxWebSearches ?? options.Value.DefaultMaxWebSearches : 0;

    private static long InputBound(int bodyBytes, CallRequest request, ModelFacts model) =>
        request.HasMedia ? model.ContextWindow ?? bodyBytes + MediaTokens : Math.Min(bodyBytes, model.ContextWindow ?? int.MaxValue);

    private (long Output, (string Field, long Value)? Cap) OutputBound(Surface surface, CallRequest request, ServiceSpecification specification)
    {
        if (surface.MaxOutputField is not { } field)
        {
            return (0, null);
        }

        if (request.MaxOutputTokens is { } asked)
        {
            return (asked * request.Choices, null);
        }

        // For chat, OpenAI itself wants the newer name; all others know the older one.
        var cap = specification.Model.MaxOutputTokens ?? options.Value.DefaultMaxOutputTokens;
        var newer = surface == Surface.ChatCompletions
            && (specification.Endpoint.Protocol == EndpointProtocol.AzureOpenAi || new Uri(specification.Endpoint.Url).Host.EndsWith(".openai.com", StringComparison.OrdinalIgnoreCase));
        return ((long)cap * request.Choices, (newer ? "max_completion_tokens" : field, cap));
    }

    private static (CallPlan?, CallRefusal?) NotFound(string model) =>
        (null, new CallRefusal(CallFailure.ModelNotFound, $"The model `{(model.Length > 100 ? model[..100] + "…" : model)}` does not exist or you do not have access to it.", "model"));

    private static (CallPlan?, CallRefusal?) Refuse(CallFailure failure, string detail) => (null, new CallRefusal(failure, detail, "model"));
}
