//! Counts and times every request, by route pattern and never by raw path.

use std::time::Instant;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    http::StatusCode,
    middleware::Next,
    web,
};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use super::{
    Front, idle,
    request_id::{self, RequestId},
    span::Traced,
};

#[derive(Clone, Debug)]
pub struct HttpMetrics {
    requests: IntCounterVec,
    duration: HistogramVec,
}

impl HttpMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let requests = IntCounterVec::new(
            Opts::new("sattva_http_requests_total", "HTTP requests, by method, route and status."),
            &["method", "endpoint", "status"],
        )?;
        let buckets =
            vec![0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let opts = HistogramOpts::new("sattva_http_request_duration_seconds", "Time until the response began.");
        let duration = HistogramVec::new(opts.buckets(buckets), &["method", "endpoint"])?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self { requests, duration })
    }
}

fn known_method(method: &Method) -> Option<&'static str> {
    let known = match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => return None,
    };
    Some(known)
}

/// Under the request's id, which what is said here has, too.
pub async fn observe<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let id = RequestId::of(request.headers());
    request_id::given(id, observed(request, next)).await
}

async fn observed<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let began = Instant::now();
    let _busy = idle::busy();
    let front = request.app_data::<web::Data<Front>>().cloned();
    let known = known_method(request.method());
    let traced = front.as_ref().and_then(|front| Traced::begin(front, request.headers()));
    let response = next.call(request).await;
    let Some(front) = front else { return response };
    let (metrics, method) = (&front.http_metrics, known.unwrap_or("OTHER"));
    let took = began.elapsed().as_secs_f64();
    let (route, status) = match &response {
        Ok(response) => (response.request().match_pattern(), response.status()),
        Err(error) => (None, error.as_response_error().status_code()),
    };
    let route = route.filter(|pattern| !pattern.is_empty());
    let endpoint = route.as_deref().unwrap_or("other");
    metrics.requests.with_label_values(&[method, endpoint, status.as_str()]).inc();
    metrics.duration.with_label_values(&[method, endpoint]).observe(took);
    // One that says `busy`, `stopping`, `elsewhere` is no defect, and would be a line for each of many.
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!(method, endpoint, status = status.as_u16(), "a request was answered with an error of ours");
    }
    if let Some(traced) = traced {
        let path = response.as_ref().map_or("", |response| response.request().path());
        traced.end(&front, known, route.map(|route| (route, path)), status);
    }
    response
}
