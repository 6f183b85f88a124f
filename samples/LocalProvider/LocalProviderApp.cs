using System.Text.Json;
using LlmMarketplace.Embedding;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.LocalProvider;

/// <summary>
/// An embedding provider as one finds them outside: OpenAI's wire form, a key of its own, and nothing known of the marketplace.
/// Runs by itself (Program.cs) or inside another process, which brings the address and the key.
/// </summary>
public static class LocalProviderApp
{
    internal static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private const string Concurrency = "concurrency";

    /// <summary>Builds the provider. The builder decides about addresses and configuration; <paramref name="configure"/> may set options besides the section <c>LocalProvider</c>.</summary>
    public static WebApplication Build(WebApplicationBuilder builder, Action<LocalProviderOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddSentenceEmbedder();
        var options = builder.Services.AddOptions<LocalProviderOptions>().BindConfiguration("LocalProvider").ValidateDataAnnotations().ValidateOnStart();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        builder.Services.AddHostedService<LoadAtStart>();
        builder.Services.AddRateLimiter(_ => { });
        builder.Services.AddOptions<RateLimiterOptions>().Configure<IOptions<LocalProviderOptions>>((limiter, provider) => Limit(limiter, provider.Value));
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);

        var app = builder.Build();
        app.UseExceptionHandler(new ExceptionHandlerOptions { ExceptionHandler = Fail, StatusCodeSelector = Status });
        app.UseStatusCodePages(context => Unknown(context.HttpContext));
        app.UseRouting();
        app.UseRateLimiter();
        app.Use(LimitBody);
        app.MapGet("/health", () => TypedResults.Ok(new { status = "healthy" }));
        app.MapGet("/openapi.json", () => TypedResults.Stream(typeof(LocalProviderApp).Assembly.GetManifestResourceStream("openapi.json")!, "application/json"));

        var v1 = app.MapGroup("/v1").AddEndpointFilter<RouteGroupBuilder, RequireApiKey>();
        v1.MapPost("/embeddings", CreateEmbeddings.Handle).RequireRateLimiting(Concurrency);
        v1.MapGet("/models", ListModels.Handle);
        v1.MapGet("/models/{id}", ListModels.Get);
        return app;
    }

    private static void Limit(RateLimiterOptions limiter, LocalProviderOptions options)
    {
        limiter.AddConcurrencyLimiter(Concurrency, o => (o.PermitLimit, o.QueueLimit) = (options.MaximumConcurrency, options.MaximumConcurrency));
        limiter.OnRejected = async (context, _) =>
        {
            context.HttpContext.Response.Headers.RetryAfter = "1";
            await ProviderError.Result(StatusCodes.Status429TooManyRequests, "Too many requests are under way. Come back in a second.", code: "rate_limit_exceeded", type: "rate_limit_error")
                .ExecuteAsync(context.HttpContext);
        };
    }

    private static Task LimitBody(HttpContext context, RequestDelegate next)
    {
        context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = context.RequestServices.GetRequiredService<IOptions<LocalProviderOptions>>().Value.MaximumBytes;
        return next(context);
    }

    private static int Status(Exception e) => e is BadHttpRequestException bad ? bad.StatusCode : StatusCodes.Status500InternalServerError;

    private static Task Fail(HttpContext context) => (context.Response.StatusCode switch
    {
        >= 400 and < 500 and var status => ProviderError.Result(status, "The request could not be read."),
        var status => ProviderError.Result(status, "The provider failed.", type: "server_error"),
    }).ExecuteAsync(context);

    private static Task Unknown(HttpContext context) =>
        ProviderError.Result(context.Response.StatusCode, $"There is no {context.Request.Method} {context.Request.Path} here.", code: "unknown_url").ExecuteAsync(context);

    /// <summary>A provider without its model does not start: the error belongs to the operator, not to the first caller.</summary>
    private sealed class LoadAtStart(IServiceProvider services) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            services.GetRequiredService<SentenceEmbedder>();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
