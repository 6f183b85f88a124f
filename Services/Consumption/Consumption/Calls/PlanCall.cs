using LlmMarketplace.Consumption.Catalogue;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Pricing;
using LlmMarketplace.Consumption.Routing;
using LlmMarketplace.Consumption.StoredResponses;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Finds what is called and the most that it can use and cost. Input: no tokenizer makes more tokens than there are bytes in the body (framing of messages is
/// shorter than their JSON), but for what it adds for tools (<see cref="ToolPrompts"/>), and no model takes more than its context window; with images, audio or texts of the web among it only the window bounds. Where that does not fit, tokens are counted
/// (<see cref="Counting.CountInput"/>). Output: what the caller allows, else the listing's cap, which then is asked of the provider too, for each of the answers wanted.
/// </summary>
internal sealed class PlanCall(Catalogue.Catalogue catalogue, Routes routes, ProviderSecretProtector protector, IOptions<CallOptions> options)
{
    private const long MaxReservedTokens = 10_000_000_000_000;
    private const long MediaTokens = 128_000;
    private const string ResidencyHeader = "x-marketplace-residency";

    /// <summary>Plans a call of the model that it names, and notes the most that it can cost, which its fallbacks are held to, even where it cannot be called now.</summary>
    public (CallPlan? Plan, CallRefusal? Refusal) Plan(Call call)
    {
        call.GiveBackEntry();
        var (plan, refusal) = Find(call);
        call.MostNanos = plan?.ReservedNanos;
        return (refusal is null ? plan : null, refusal);
    }

    /// <summary>A plan beside a refusal has no ways, but its price.</summary>
    private (CallPlan? Plan, CallRefusal? Refusal) Find(Call call)
    {
        var model = Resolve.Alias(catalogue.Current, call.Organisation!, call.Model!);
        if (Preference.TryParse(model, out var preference))
        {
            return Prefer(call, preference, model);
        }

        if (!ModelName.TryParse(model, out var name))
        {
            return NotFound(call.Model!, model);
        }

        var (version, verdict, withdrawn) = Resolve.Version(catalogue.Current, call.Organisation!, call.Key!.Scopes, name);
        return version is not null ? Plan(call, version) : verdict switch
        {
            ResolutionVerdict.Suspended => Withdrawn(call, withdrawn!, CallFailure.ServiceSuspended, $"The service `{name}` is suspended."),
            ResolutionVerdict.Retired => Withdrawn(call, withdrawn!, CallFailure.ModelRetired, $"The model `{name}` is retired."),
            ResolutionVerdict.OutOfScope => Refuse(CallFailure.OutOfScope, $"This API key's scopes leave `{name.Listing}` out."),
            _ => NotFound(call.Model!, model),
        };
    }

    /// <summary>
    /// The best of all that the caller may call on this surface. A body is translated for those only that may be the best: a translation can make a call dearer, never cheaper, so
    /// what is worse without one is worse with it.
    /// </summary>
    private (CallPlan? Plan, CallRefusal? Refusal) Prefer(Call call, Preference preference, string model)
    {
        var snapshot = catalogue.Current;
        var drafts = new List<(bool IsTaken, decimal Rank, string Name, CallPlan Plan)>();
        foreach (var listing in snapshot.Listings.Values)
        {
            if (Resolve.Version(snapshot, call.Organisation!, call.Key!.Scopes, new ModelName(listing.Name, null)).Version is { } version
                && (preference.Category is not { } category || version.Specification.Category == category)
                && Draft(call, version) is { Plan: { } plan, Refusal: null })
            {
                drafts.Add((IsTaken(plan), Rank(preference.Kind, plan), listing.Name, plan));
            }
        }

        drafts.Sort(Order);
        (CallPlan Plan, CallRefusal Refusal)? first = null;
        while (Best(call, preference.Kind, drafts) is { } best)
        {
            if (Enter(call, best) is not { } taken)
            {
                return (best, null);
            }

            first ??= (best, taken);
            drafts.RemoveAll(draft => draft.Plan.Version == best.Version); // Another call tries it since.
        }

        return first is { } found ? found : (null, new CallRefusal(CallFailure.ModelNotFound, $"`{model}` stands for nothing that you may call at /v1/{call.Surface.Path}.", "model"));
    }

    private CallPlan? Best(Call call, PreferenceKind kind, List<(bool IsTaken, decimal Rank, string Name, CallPlan Plan)> drafts)
    {
        (bool IsTaken, decimal Rank, string Name, CallPlan Plan)? best = null;
        foreach (var draft in drafts)
        {
            if (best is { } known && Order(draft, known) > 0)
            {
                break;
            }

            if (Translated(call, draft.Plan).Plan is { } plan)
            {
                var translated = (draft.IsTaken, Rank(kind, plan), draft.Name, plan);
                best = best is { } other && Order(translated, other) > 0 ? best : translated;
            }
        }

        return best?.Plan;
    }

    /// <summary>Lets a call in to a way of its plan, and keeps the one try for it where it takes one; or says why not.</summary>
    private static CallRefusal? Enter(Call call, CallPlan plan)
    {
        if ((Entry.First(plan.Routes) ?? Entry.LastResort(plan.Routes, [])) is { } entry)
        {
            call.Hold(entry);
            return null;
        }

        var busy = plan.Routes.All(route => route.CredentialHealth.BusyFor > TimeSpan.Zero);
        return new CallRefusal(busy ? CallFailure.ProviderRateLimited : CallFailure.ProviderUnavailable, RetryAfter: TimeSpan.FromSeconds(1));
    }

    private static decimal Rank(PreferenceKind kind, CallPlan plan) => kind switch
    {
        PreferenceKind.Cheapest => plan.ReservedNanos,
        PreferenceKind.Fastest => plan.Routes.Min(route => route.Health.LatencyMs) is > 0 and var seen ? (decimal)seen : plan.Version.Specification.Sla.MaxLatencyMs,
        _ => -plan.Version.Specification.Sla.Availability,
    };

    /// <summary>Whether nobody would be let through to it now: it is chosen only when there is none other.</summary>
    private static bool IsTaken(CallPlan plan) => plan.Routes.All(route => route.Health.IsBeingTried);

    private static int Order((bool IsTaken, decimal Rank, string Name, CallPlan Plan) one, (bool IsTaken, decimal Rank, string Name, CallPlan Plan) other) =>
        (one.IsTaken, one.Rank).CompareTo((other.IsTaken, other.Rank)) is not 0 and var order ? order : string.CompareOrdinal(one.Name, other.Name);

    private (CallPlan? Plan, CallRefusal? Refusal) Plan(Call call, ListedVersion version)
    {
        var (draft, refusal) = Draft(call, version);
        if (draft is null || (refusal is not null && call.Request!.Fallbacks.Count == 0))
        {
            return (null, refusal);
        }

        var (plan, untranslatable) = Translated(call, draft);
        return (plan, refusal ?? untranslatable ?? Enter(call, plan!));
    }

    private (CallPlan? Plan, CallRefusal? Refusal) Withdrawn(Call call, ListedVersion version, CallFailure failure, string detail) =>
        (call.Request!.Fallbacks.Count == 0 ? null : Plan(call, version).Plan, new CallRefusal(failure, detail, "model"));

    /// <summary>A plan with its body in the provider's protocol, and what that may use.</summary>
    private (CallPlan? Plan, CallRefusal? Refusal) Translated(Call call, CallPlan draft)
    {
        var specification = draft.Version.Specification;
        var (translated, untranslatable) = Translate.Request(call, draft.Upstream, specification, draft.Cap);
        if (translated is null)
        {
            return untranslatable is null ? (draft, null) : (null, untranslatable);
        }

        var input = Math.Max(draft.InputBound, InputBound(draft.Upstream, translated.Body.Length, call.Request!, specification.Model));
        return (draft with { Translated = translated, InputBound = input, ReservedNanos = MostNanos(call, draft.Price, input, draft.OutputBound, seconds: 0) }, null);
    }

    /// <summary>A plan by the body as the caller sent it; beside a refusal when it has its price, and no way that can be gone now.</summary>
    private (CallPlan? Plan, CallRefusal? Refusal) Draft(Call call, ListedVersion version)
    {
        var request = call.Request!;
        var name = version.Listing.Name;
        var specification = version.Specification;
        if (specification.Endpoint.Authentication == EndpointAuthentication.OAuth2)
        {
            return Refuse(CallFailure.UnsupportedOperation, $"`{name}` wants OAuth 2.0 from the marketplace, which is not supported yet.");
        }

        var served = ServiceSurfaces.Of(specification);
        if (Translate.Upstream(call.Surface, served) is not { } upstream)
        {
            return Refuse(CallFailure.UnsupportedOperation, $"`{name}` {Unsupported(call.Surface, served)}");
        }

        var price = call.Surface.IsFree ? Price.Nothing(specification.Pricing.Currency) : Price.For(specification.Pricing, call.Organisation!.TierName);
        if (price is null)
        {
            return Refuse(CallFailure.NotForSale, $"`{name}` has no price for the tier `{call.Organisation!.TierName}`.");
        }

        if (Unpriced(call.Surface, request, price, specification.Model) is { } unpriced)
        {
            return (null, new CallRefusal(CallFailure.NotPriced, $"`{name}` has no price for {unpriced.What}.", unpriced.Param));
        }

        var sound = call.Surface.Dialect == Dialect.Audio;
        if (sound && AudioCharge.Measure(call, price) is { } immeasurable)
        {
            return (null, immeasurable);
        }

        var (output, cap) = OutputBound(upstream, request, specification);
        var input = call.Surface.IsFree || call.Surface == Surface.Invoke ? 0 : InputBound(upstream, call.Body!.Bytes.Length, request, specification.Model);
        if (sound)
        {
            (input, output) = AudioCharge.Tokens(call.Body!.Bytes.Length, MediaTokens, options.Value.DefaultMaxOutputTokens, specification.Model, price);
        }

        var nanos = MostNanos(call, price, input, output, sound ? AudioCharge.MostSeconds(call, price) : 0);
        var (open, closed) = Ways(call, version);
        return (new CallPlan(version, open, price, cap, input, output, nanos) { Upstream = upstream }, closed);
    }

    private long MostNanos(Call call, Price price, long input, long output, decimal seconds) =>
        Price.Nanos(price.UpperBound(input, output, ImageBound(call.Surface, call.Request!), SearchBound(call.Request!), seconds, call.Request!.Characters));

    /// <summary>The ways that can be gone now, best first; or why there is none.</summary>
    private (IReadOnlyList<Route> Open, CallRefusal? Refusal) Ways(Call call, ListedVersion version)
    {
        var name = version.Listing.Name;
        var residency = Residency(call.Http.Request);
        var open = routes.Choose(version, residency, out var wait, out var busy);
        if (open.Count == 0)
        {
            return wait == TimeSpan.Zero
                ? ([], new CallRefusal(CallFailure.UnsupportedOperation, $"`{name}` is not served in {string.Join(", ", residency!)}.", ResidencyHeader))
                : ([], new CallRefusal(busy ? CallFailure.ProviderRateLimited : CallFailure.ProviderUnavailable, RetryAfter: wait));
        }

        if (call.Kept is { } kept)
        {
            if (Keeper(version, kept) is not { } keeper)
            {
                return ([], new CallRefusal(CallFailure.KeptElsewhere, $"The response `{kept.ResponseId}` is not kept by `{name}@{version.Number}`: call the service and version that made it.", "previous_response_id"));
            }

            open = [.. open.Where(route => route.Endpoint == keeper && Keeps(route, kept))];
            if (open.Count == 0)
            {
                return ([], new CallRefusal(CallFailure.ProviderUnavailable, "The address that keeps the response cannot be reached.", RetryAfter: wait > TimeSpan.Zero ? wait : null));
            }
        }

        if (!open.All(CanBeSent))
        {
            open = [.. open.Where(CanBeSent)];
            if (open.Count == 0)
            {
                return ([], new CallRefusal(CallFailure.ProviderMisconfigured, "The provider's credential cannot be decrypted here."));
            }
        }

        return (open, null);
    }

    private bool CanBeSent(Route route) => route.Credential?.CanBeRead(protector) != false;

    /// <summary>Whether a way leads to a response: by the credential that made it, for others may be of another account; by any when that one is gone.</summary>
    private static bool Keeps(Route route, StoredResponse kept) =>
        kept.Credential is null || route.Credential?.Name == kept.Credential || route.Endpoint.Credentials.All(one => one.Name != kept.Credential);

    /// <summary>The version's address that keeps a response: where it was made, or the same address of another version.</summary>
    private static ListedEndpoint? Keeper(ListedVersion version, StoredResponse kept)
    {
        if (version.Listing.Id != kept.ListingId)
        {
            return null;
        }

        var made = version.Listing.Versions.FirstOrDefault(one => one.Id == kept.VersionId)?.Endpoints.FirstOrDefault(endpoint => endpoint.Name == kept.Endpoint);
        return made is null ? null : version.Endpoints.FirstOrDefault(endpoint => endpoint.Url == made.Url);
    }

    public static Reservation Reservation(Call call, Guid instance, KeyRing keys) => new(
        call.Id,
        instance,
        call.Organisation!.Id,
        Account.OfOrganisation(TierLimits.Of(call.Organisation.Tier), keys.BudgetOf(call.Organisation.Id)),
        call.Key!.Account,
        call.Plan!.ReservedTokens,
        call.Plan.ReservedNanos,
        call.Claim)
    {
        EndUser = call.Attribution!.EndUser is { } user ? Account.OfEndUser(user, keys.BudgetOf(user, call.Key)) : null,
    };

    private static string Unsupported(Surface asked, IReadOnlyList<string> served)
    {
        var callable = Surface.All.Where(surface => Translate.Upstream(surface, served) is not null).Select(surface => $"/v1/{surface.Path}").ToArray();
        return served.Contains(ServiceSurfaces.Invoke) ? $"is not called through /v1, but through /{Surface.Invoke.Path}."
            : callable.Length == 0
            ? "is not called through /v1: its protocol cannot be metered there yet."
            : $"is not called through /v1/{asked.Path}, but through {string.Join(", ", callable)}.";
    }

    /// <summary>Country codes in which the caller wants to be served, or null.</summary>
    private static string[]? Residency(HttpRequest request) =>
        request.Headers[ResidencyHeader] is { Count: > 0 } given ? [.. given.ToString().Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)] : null;

    private static (string What, string Param)? Unpriced(Surface surface, CallRequest request, Price price, ModelFacts model) =>
        request.HasAudio && price is { AudioInput: null, Input: > 0 } ? ("audio", "modalities")
        : request.SearchesWeb && price.WebSearch is null ? ("searches of the web", "tools")
        : request.ReadsWeb && model.ContextWindow is null && price.HasTokenRates ? ("what the provider reads in the web: its listing tells no `contextWindow`, which would bound that", "tools")
        : surface == Surface.ImageGenerations && price.HasOutputRate && model.MaxOutputTokens is null ? ("images: they cost by their tokens, and its listing tells no `maxOutputTokens`, which would bound those", "model")
        : surface.Dialect == Dialect.Audio ? AudioCharge.Unpriced(surface, request, price)
        : surface == Surface.Invoke && price.HasTokenRates ? ("calls of it: they are not counted in tokens", "pricing")
        : null;

    private static long ImageBound(Surface surface, CallRequest request) => surface == Surface.ImageGenerations ? request.Choices : 0;

    private long SearchBound(CallRequest request) => request.SearchesWeb ? request.MaxWebSearches ?? options.Value.DefaultMaxWebSearches : 0;

    /// <summary>A context window bounds each prompt, and nothing of what takes several texts at once: embeddings, moderations, rerank.</summary>
    private static long InputBound(Surface surface, int bodyBytes, CallRequest request, ModelFacts model) =>
        request.HasMedia ? model.ContextWindow ?? bodyBytes + request.ToolTokens + MediaTokens
        : surface.MaxOutputField is null ? bodyBytes + request.ToolTokens
        : Math.Min(bodyBytes + request.ToolTokens, Times(model.ContextWindow ?? int.MaxValue, request.Prompts));

    /// <summary>Tokens of so many answers or prompts, without overflow.</summary>
    private static long Times(long tokens, long many) => Math.BigMul(tokens, many) is var all && all > MaxReservedTokens ? MaxReservedTokens : (long)all;

    private (long Output, (string Field, long Value)? Cap) OutputBound(Surface surface, CallRequest request, ServiceSpecification specification)
    {
        if (surface.MaxOutputField is not { } field)
        {
            return (surface == Surface.ImageGenerations ? Times(specification.Model.MaxOutputTokens ?? 0, request.Choices) : 0, null);
        }

        if (request.MaxOutputTokens is { } asked)
        {
            return (Times(asked, request.Choices), null);
        }

        var cap = specification.Model.MaxOutputTokens ?? options.Value.DefaultMaxOutputTokens;
        return (Times(cap, request.Choices), (surface == Surface.ChatCompletions ? ChatMaximum(specification) : field, cap));
    }

    /// <summary>Chat's member for the maximum: OpenAI itself wants the newer name, all others know the older one.</summary>
    public static string ChatMaximum(ServiceSpecification specification) =>
        specification.Endpoint.Protocol == EndpointProtocol.AzureOpenAi || new Uri(specification.Endpoint.Url).Host.EndsWith(".openai.com", StringComparison.OrdinalIgnoreCase)
            ? "max_completion_tokens" : "max_tokens";

    private static (CallPlan?, CallRefusal?) NotFound(string asked, string model)
    {
        var name = model.Length > 100 ? model[..100] + "…" : model;
        var next = model.Contains('/', StringComparison.Ordinal) ? "GET /v1/models lists those that this key may call." : $"Name a service as `provider/service` (GET /v1/models lists them), or let the name stand for one: PUT /api/v1/aliases/{name}.";
        return (null, new CallRefusal(
            CallFailure.ModelNotFound, $"The model `{name}`{(asked == model ? "" : $", for which `{asked}` stands,")} does not exist or you do not have access to it. {next}", "model"));
    }

    private static (CallPlan?, CallRefusal?) Refuse(CallFailure failure, string detail) => (null, new CallRefusal(failure, detail, "model"));
}
