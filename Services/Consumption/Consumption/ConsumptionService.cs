using System.ComponentModel;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Aliases;
using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.CallLogs;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Catalogue;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Counting;
using LlmMarketplace.Consumption.EndUsers;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.Invoking;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Platforms;
using LlmMarketplace.Consumption.ResponseCache;
using LlmMarketplace.Consumption.Routing;
using LlmMarketplace.Consumption.Rpc;
using LlmMarketplace.Consumption.Sla;
using LlmMarketplace.Consumption.StoredResponses;
using LlmMarketplace.Consumption.Usage;
using LlmMarketplace.Consumption.Webhooks;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Messaging;
using LlmMarketplace.ProviderNetwork;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption;

/// <summary>
/// START HERE. Keys, limits, calls and what they cost. Two parts that share one database and one Redis, and may share a process: the management of keys, budgets and
/// usage (<see cref="AddConsumption"/>), once or more; and the calls themselves (<see cref="AddConsumptionCalls"/>), in each process with a public address.
/// </summary>
public static class ConsumptionService
{
    private const string Database = "consumption";

    /// <summary>
    /// Adds the management API, the projections' writer and the sweeper of dead instances. Needs <c>ConnectionStrings:consumption</c>,
    /// <c>ConnectionStrings:redis</c>, <c>Keys:ApiKeyHmac</c>, <c>Keys:ProviderSecrets</c> and <c>Messaging:Transport</c>.
    /// </summary>
    public static WebApplicationBuilder AddConsumption(this WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddShared()
            .Consumes<ListingChanged, FollowListings>(PublishingEvents.Producer, PublishingEvents.Services, PublishingEvents.ListingChanged)
            .Consumes<OpenApiDocumentPublished, FollowOpenApiDocuments>(PublishingEvents.Producer, PublishingEvents.OpenApiDocuments, PublishingEvents.OpenApiDocumentPublished)
            .Consumes<OrganisationChanged, FollowOrganisations>(IdentityEvents.Producer, IdentityEvents.Organisations, IdentityEvents.OrganisationChanged);
        builder.Services.AddValidation();
        builder.Services.AddSingleton<KeyChanges>().AddSingleton<SumUsage>();
        builder.Services.AddHostedService<SweepLost>().AddHostedService<ForgetSpending>();
        builder.Services.AddSingleton<EraseFromStores>().AddHostedService<FinishErasures>();
        builder.Services.AddOptions<SlaOptions>().BindConfiguration("Sla").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddHostedService<WatchSla>();
        builder.AddWebhooks();
        return builder;
    }

    /// <summary>Maps <c>/api/v1/keys</c>, <c>/api/v1/budgets</c>, <c>/api/v1/end-users</c>, <c>/api/v1/aliases</c>, <c>/api/v1/response-cache</c>, <c>/api/v1/call-logging</c>, <c>/api/v1/call-logs</c>, <c>/api/v1/quota</c>, <c>/api/v1/usage</c>, <c>/api/v1/sla</c>, <c>/api/v1/webhooks</c> and the service's events.</summary>
    public static WebApplication MapConsumption(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var keys = app.MapGroup("/api/v1/keys").ForConsumers("Keys");
        CreateKey.Map(keys);
        ListKeys.Map(keys);
        GetKey.Map(keys);
        ChangeKey.Map(keys);
        SuspendKey.Map(keys);
        RotateKey.Map(keys);
        RevokeKey.Map(keys);

        var budgets = app.MapGroup("/api/v1/budgets").ForConsumers("Budgets");
        GetBudget.Map(budgets);
        PutBudget.Map(budgets);
        DeleteBudget.Map(budgets);
        BudgetEachEndUser.Map(budgets);
        BudgetOneEndUser.Map(budgets);
        ListEndUserBudgets.Map(budgets);

        var endUsers = app.MapGroup("/api/v1/end-users").ForConsumers("End users");
        EraseEndUser.Map(endUsers);
        ListErasures.Map(endUsers);

        var aliases = app.MapGroup("/api/v1/aliases").ForConsumers("Aliases");
        ListAliases.Map(aliases);
        GetAlias.Map(aliases);
        PutAlias.Map(aliases);
        DeleteAlias.Map(aliases);

        var cache = app.MapGroup("/api/v1/response-cache").ForConsumers("Response cache");
        GetResponseCache.Map(cache);
        PutResponseCache.Map(cache);
        DeleteResponseCache.Map(cache);

        var logging = app.MapGroup("/api/v1/call-logging").ForConsumers("Call logs");
        GetCallLogging.Map(logging);
        PutCallLogging.Map(logging);
        DeleteCallLogging.Map(logging);

        var logs = app.MapGroup("/api/v1/call-logs").ForConsumers("Call logs");
        ListCallLogs.Map(logs);
        GetCallLog.Map(logs);
        EraseCallLogs.Map(logs);

        var usage = app.MapGroup("/api/v1").WithTags("Usage").AllowAnonymous().WithMetadata(new TakesApiKey(OrToken: true)); // A token or an API key: UsageCaller decides.
        GetUsage.Map(usage);
        ListRecords.Map(usage);
        GetQuota.Map(usage);

        var sla = app.MapGroup("/api/v1/sla").WithTags("SLA").RequireAuthorization()
            .RequireAuthorization(policy => policy.RequireClaim(MarketplaceTokens.RoleClaim, Roles.Provider, Roles.Admin, Roles.Auditor));
        ShowSla.Map(sla);
        ListViolations.Map(sla);

        app.MapWebhooks();
        app.MapMessaging();
        return app;
    }

    /// <summary>Adds the calls. Needs what <see cref="AddConsumption"/> needs, and <c>Metering:LogDirectory</c>; the process is then one of the instances that forward calls.</summary>
    public static WebApplicationBuilder AddConsumptionCalls(this WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddShared();
        builder.AddProviderNetwork();
        builder.AddTableMirror<KeyMirror>();
        builder.AddTableMirror<BudgetMirror>();
        builder.AddTableMirror<EndUserBudgetMirror>();
        builder.AddTableMirror<ListingMirror>();
        builder.AddTableMirror<OrganisationMirror>();
        builder.AddTableMirror<AliasMirror>();
        builder.AddTableMirror<CacheSettingMirror>();
        builder.AddTableMirror<LoggingSettingMirror>();

        var services = builder.Services;
        services.AddSingleton<IValidateOptions<MeteringOptions>, ValidateLogDirectory>();
        services.AddSingleton<OpenCalls>().AddSingleton<ReportCalls>().AddSingleton<ReplayLog>().AddSingleton<ShipUsage>();
        services.AddSingleton<AdmissionLog>().AddSingleton<IAdmissionLog>(provider => provider.GetRequiredService<AdmissionLog>());
        services.AddHostedService(provider => provider.GetRequiredService<AdmissionLog>());
        services.AddOptions<CallOptions>().BindConfiguration("Calls").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<KeyRing>().AddSingleton<Catalogue.Catalogue>().AddSingleton<Warmth>().AddSingleton<KeyGuesses>().AddSingleton<KeyCheck>().AddSingleton<FreshKey>();
        services.AddOptions<KeyGuessOptions>().BindConfiguration("Keys:Guesses").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<ConsumptionTelemetry>();
        services.TryAddSingleton<Routes>();
        services.AddSingleton<GoogleTokens>().AddSingleton<AwsSignature>().AddSingleton<ProveCall>();
        services.AddSingleton<ModelTokenizers>().AddSingleton<CountInput>();
        services.AddSingleton<ProviderClient>().AddSingleton<PlanCall>().AddSingleton<AdmitCall>().AddSingleton<SettleCall>();
        services.AddOptions<IdempotencyOptions>().BindConfiguration("Idempotency").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton(provider => new AnswerProtector(provider.GetRequiredService<IOptions<KeySecrets>>().Value.ApiKeyHmacBytes));
        services.AddSingleton<RunningCalls>().AddHostedService<StopCalls>();
        services.AddOptions<HostOptions>().PostConfigure<IOptions<CallOptions>>((host, calls) => host.ShutdownTimeout += StopCalls.Longest(calls.Value)); // The rest keeps its time.
        services.AddSingleton<ReadClaim>().AddSingleton<KeepAnswer>().AddSingleton<ReplayAnswer>();
        services.AddSingleton<TidyAnswers>().AddHostedService(provider => provider.GetRequiredService<TidyAnswers>());
        services.AddOptions<CacheOptions>().BindConfiguration("ResponseCache").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<OptedIn<CachePolicy>>().AddSingleton<ServeCached>();
        services.AddSingleton<TidyCache>().AddHostedService(provider => provider.GetRequiredService<TidyCache>());
        services.AddSingleton<KeepCached>().AddHostedService(provider => provider.GetRequiredService<KeepCached>());
        services.AddOptions<CallLogOptions>().BindConfiguration("CallLogs").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<OptedIn<LoggingPolicy>>();
        services.AddSingleton<TidyCallLogs>().AddHostedService(provider => provider.GetRequiredService<TidyCallLogs>());
        services.AddSingleton<WriteCallLogs>().AddSingleton<KeepCallLogs>().AddHostedService(provider => provider.GetRequiredService<KeepCallLogs>());
        services.AddSingleton<KeepResponses>().AddHostedService(provider => provider.GetRequiredService<KeepResponses>());
        services.AddSingleton<ReadStoredCall>().AddHostedService<ForgetResponses>();
        services.AddSingleton<RestApis>().AddSingleton<ReadInvocation>().AddSingleton<RelayInvocation>();
        services.AddSingleton<RelayAnswer>().AddSingleton<EndAnswer>().AddSingleton<RelayStream>().AddSingleton<RelayBinary>().AddSingleton<ServeCall>();
        services.AddSingleton<ReadStanding>();
        services.AddRpc();
        services.AddHealthChecks().AddCheck<Warmth>("consumption-calls", tags: ["ready"]);
        return builder;
    }

    /// <summary>Maps <c>/v1</c>, <c>/api/v1/services/{id}/invoke</c> and gRPC's <c>marketplace.v1.ConsumptionService</c>. These routes authenticate by API key themselves.</summary>
    public static WebApplication MapConsumptionCalls(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var v1 = app.MapGroup("/v1").WithTags("Calls").AllowAnonymous().WithMetadata(new TakesApiKey(OrToken: false));
        foreach (var surface in Surface.All)
        {
            v1.MapPost("/" + surface.Path, (HttpContext http, ServeCall calls) => calls.HandleAsync(http, surface)).Describe(surface);
        }

        foreach (var surface in Surface.OfStored)
        {
            v1.MapMethods("/" + surface.Path, [surface.Method.Method], (HttpContext http, string id, ServeCall calls) => calls.HandleAsync(http, surface, id)).DescribeStored(surface);
        }

        app.MapPost("/" + Surface.Invoke.Path, ([Description("The service's id, as `GET /api/v1/services` tells it.")] string id, HttpContext http, ServeCall calls) => calls.HandleAsync(http, Surface.Invoke, id))
            .WithTags("Calls").AllowAnonymous().WithMetadata(new TakesApiKey(OrToken: false)).DescribeInvoke();
        app.MapRpc();
        v1.MapGet("/models", ListModels.HandleAsync).WithName("ListModels").Produces<ListModels.Response>().WithSummary("The models that this key may call");
        v1.MapGet("/models/{**id}", ListModels.HandleOneAsync).WithName("GetModel").Produces<ListModels.Model>().WithSummary("One of them; ids contain a slash");
        v1.MapGet("/generations/{id:guid}", ShowGeneration.HandleAsync).WithName("GetGeneration").Produces<ListRecords.Item>().WithSummary("The record of one call, by its x-request-id");
        v1.MapGet("/key", ShowKey.HandleAsync).WithName("ShowKey").Produces<ShowKey.Response>().WithSummary("What this key may do, and what is left of its limits");
        v1.Map("/{**rest}", RefuseUnknownRoute.HandleAsync).ExcludeFromDescription();
        return app;
    }

    private static RouteGroupBuilder ForConsumers(this RouteGroupBuilder group, string tag) => group
        .RequireAuthorization()
        .RequireAuthorization(policy => policy.RequireClaim(MarketplaceTokens.RoleClaim, Roles.Consumer))
        .WithTags(tag);

    /// <summary>What both parts use, once.</summary>
    private static MessagingBuilder<ConsumptionDb> AddShared(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        if (services.FirstOrDefault(service => service.ServiceType == typeof(Shared))?.ImplementationInstance is Shared shared)
        {
            return shared.Messaging;
        }

        builder.AddServiceDatabase<ConsumptionDb>(Database);
        var messaging = builder.AddMessaging<ConsumptionDb>(ConsumptionEvents.Producer)
            .Publishes<RequestSettled>(ConsumptionEvents.Requests, ConsumptionEvents.RequestSettled, TopicKind.Log)
            .Publishes<RequestCorrected>(ConsumptionEvents.Requests, ConsumptionEvents.RequestCorrected, TopicKind.Log)
            .Publishes<BudgetThresholdReached>(ConsumptionEvents.Usage, ConsumptionEvents.BudgetThresholdReached, TopicKind.Log)
            .Publishes<SlaViolationChanged>(ConsumptionEvents.Usage, ConsumptionEvents.SlaViolationChanged, TopicKind.Log);
        services.AddSingleton(new Shared(messaging));
        services.AddSingleton(new RedisDeclaration("redis"));
        services.TryAddSingleton(TimeProvider.System);

        services.AddOptions<KeySecrets>().BindConfiguration("Keys").ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<MeteringOptions>().BindConfiguration("Metering").ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<LimitOptions>().BindConfiguration("Limits").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton(provider => new ApiKeyHasher(provider.GetRequiredService<IOptions<KeySecrets>>().Value.ApiKeyHmacBytes));
        services.AddSingleton(provider => new ProviderSecretProtector(provider.GetRequiredService<IOptions<KeySecrets>>().Value.ProviderSecretsBytes));
        services.AddHostedService<CheckKeySecrets>();

        // Started in this order, and stopped in the other: settlements that are under way still need the lease and the counters.
        services.AddSingleton<RedisRuns>().AddSingleton<RedisClock>().AddSingleton<LimitScripts>();
        services.AddSingleton<InstanceLease>().AddHostedService(provider => provider.GetRequiredService<InstanceLease>()).AddHostedService<TakeLeave>();
        services.AddSingleton<Counters>().AddHostedService(provider => provider.GetRequiredService<Counters>());
        services.AddSingleton<ReadAccounts>();
        services.AddSingleton<CallLimits>().AddHostedService(provider => provider.GetRequiredService<CallLimits>());
        services.AddSingleton<WatchBudgets>().AddSingleton<UsageStore>();
        return messaging;
    }

    private sealed record Shared(MessagingBuilder<ConsumptionDb> Messaging);
}
